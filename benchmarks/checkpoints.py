"""What a checkpoint costs the training: SQLite and PostgreSQL against `torch.save` and fsync.

A real loop writes its checkpoints to a file and to a database in turn, under the lease of a real
job, and every one replaces the one before. `pause` is how long the loop stands still, and its share
of 10 s; `CPU` the time of all threads of this process in it; `after` what the next steps lose to
what goes on behind them, of which the file's line shows the noise. All are medians.

    python -m benchmarks.checkpoints [--rounds 9] [--threads 2] [--to SQLite]
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import argparse
import dataclasses
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.measuring import Silent, built_in, resolve
from benchmarks.postgresql import stoppable_postgresql
from service.catalogue import Catalogue, Trainable
from service.datasets import registry
from service.datasets.base import ImageData
from service.domain.jobs import NewJob, RunInfo
from service.domain.ports import CheckpointDraft
from service.store import checkpoints, claims, datasets, jobs, migrate
from service.store.blobs import DatabaseBlobs
from service.store.engine import Database, database_now
from service.store.recorder import DatabaseRecorder
from service.training.device import cpu_name
from service.training.loop import train

DATASET = "fashion-mnist-mini"
DATABASES = ("SQLite", "PostgreSQL")
BASELINE = "torch.save and fsync"
ONE_EVERY = 10.0  # seconds
SECONDS_BETWEEN = 1.5  # here, so that it ends
WARM_UP = 2  # rounds: the first checkpoint of a database replaces none
LARGE = {"type": "mlp", "hidden_sizes": [3200, 3200]}  # 12.8 million weights on 28 × 28 pixels
CASES: Mapping[str, Mapping[str, Any]] = {
    "cnn, adam": {"architecture": "cnn", "optimizer": {"type": "adam", "lr": 1e-3}},
    "mlp of 51 MB, sgd": {"architecture": LARGE, "optimizer": {"type": "sgd", "momentum": 0}},
    "mlp of 51 MB, momentum": {"architecture": LARGE, "optimizer": {"type": "sgd"}},
    "mlp of 51 MB, adamw": {"architecture": LARGE, "optimizer": {"type": "adamw", "lr": 1e-4}},
}

Write = Callable[[CheckpointDraft], None]


class Cost(NamedTuple):
    """What one checkpoint cost the loop, and how much more memory than a step it took."""

    pause: float
    cpu: float
    after: float
    extra_bytes: int


class Written(NamedTuple):
    """A checkpoint: to which target, after which step, in how many seconds."""

    name: str
    step: int
    seconds: float
    cpu_seconds: float


class InTurn(Silent):
    """Writes checkpoints to each target in turn, and notes when every step began."""

    def __init__(self, targets: Mapping[str, Write], recorder: DatabaseRecorder) -> None:
        super().__init__()
        self.recorder = recorder
        self.targets = list(targets.items())
        self.began: list[float] = []
        self.peaks: list[int] = []
        self.written: list[Written] = []

    def started(self, run: RunInfo, preparation: bytes) -> None:
        """Hand it on: before that, no job takes a checkpoint."""
        self.recorder.started(run, preparation)

    def command(self) -> None:
        """Look at the clock and at the memory; never stop."""
        self.peaks.append(peak_bytes())
        self.began.append(time.perf_counter())

    def checkpoint(self, draft: CheckpointDraft) -> None:
        """Write it, unless it is the last of the run."""
        name, write = self.targets[len(self.written) % len(self.targets)]
        began, cpu = time.perf_counter(), time.process_time()
        write(draft)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        self.written.append(Written(name, draft.step, seconds, cpu))

    def costs(self) -> dict[str, list[Cost]]:
        """Compare the steps right behind a checkpoint with those further away."""
        steps = np.diff(self.began)
        every = self.written[0].step
        near = max(2, every // 3)
        quiet = [i for i in range(every, len(steps)) if near < (i + 1) % every]
        usual = statistics.median(steps[quiet])
        memory = statistics.median(self.peaks[i + 1] for i in quiet)
        costs: dict[str, list[Cost]] = {name: [] for name, _ in self.targets}
        for name, step, seconds, cpu in self.written[WARM_UP * len(self.targets) :]:
            if step + near > len(steps):
                break
            behind = float(sum(steps[step : step + near])) - near * usual
            costs[name].append(Cost(seconds, cpu, behind, int(self.peaks[step] - memory)))
        return costs


def peak_bytes() -> int:
    """Return the most memory since the last call (Linux), and begin anew."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+)", status)[0])


def to_a_file(folder: Path, trainable: Trainable) -> Write:
    """Save as most people would, but durably."""

    def write(_draft: CheckpointDraft) -> None:
        content = {
            "model": trainable.model.state_dict(),
            "optimizer": trainable.optimizer.state_dict(),
        }
        with (folder / "checkpoint.pt").open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())

    return write


class Recording(NamedTuple):
    """A job that trains into a database."""

    database: Database
    job_id: str
    recorder: DatabaseRecorder

    def checkpoint_bytes(self) -> int:
        """Return how large its newest checkpoint is."""
        with self.database.read() as session:
            return checkpoints.list_checkpoints(session, self.job_id).data[0].bytes


def held_job(database: Database, request: Mapping[str, Any]) -> Recording:
    """Store the dataset and a job, and claim it."""
    dataset = registry.built_ins()[DATASET]
    new = registry.take_in_built_in(dataset, DatabaseBlobs(database))
    with database.begin() as session:
        now = database_now(session)
        datasets.add_dataset(session, new, now=now)
        spec = resolve(datasets.get_facts(session, new.name), **request)
        jobs.enqueue(session, NewJob(spec=spec), now=now)
        claim = claims.claim(
            session,
            worker_id="wrk_benchmark",
            devices=["cpu"],
            components=spec.components(),
            lease_for=timedelta(hours=1),
            now=now,
        )
    assert claim is not None
    return Recording(database, claim.job_id, DatabaseRecorder(database, claim, lambda: None))


@contextmanager
def opened(kind: str, folder: Path) -> Generator[Database]:
    """Make a database of a kind, opened as the process of a job opens it."""
    with ExitStack() as stack:
        url = f"sqlite:///{folder}/trainyard.db"
        if kind == "PostgreSQL":
            url = stack.enter_context(stoppable_postgresql(durable=True)).url
        database = Database.open(url, pool_size=2, copies_log=False)
        stack.callback(database.dispose)
        migrate.upgrade(database)
        yield database


def measure(
    request: Mapping[str, Any], kind: str, rounds: int, folder: Path
) -> tuple[Mapping[str, Sequence[Cost]], int]:
    """Train a case into a file and a database; return the costs, and a checkpoint's bytes."""
    facts, data = built_in(DATASET)
    assert isinstance(data, ImageData)
    # So long an epoch that none ends: validation would be taken for the cost of a checkpoint.
    images, labels = np.tile(data.images, (60, 1, 1, 1)), np.tile(data.labels, 60)
    data = dataclasses.replace(data, images=images, labels=labels)
    short = resolve(facts, **request, training={"max_steps": 30, "device": "cpu"})
    began = time.perf_counter()
    trainable = Catalogue.installed().build(short, data)
    train(trainable, short, Silent(), device=torch.device("cpu"))
    every = max(6, int(SECONDS_BETWEEN / ((time.perf_counter() - began) / 30)))
    training = {
        "max_steps": every * 2 * (rounds + WARM_UP) + every // 2,
        "device": "cpu",
        "checkpoint": {"every_steps": every, "keep_periodic": 0},
    }
    spec = resolve(facts, **request, training=training)
    trainable = Catalogue.installed().build(spec, data)
    with opened(kind, folder) as database:
        recording = held_job(database, {**request, "training": training})
        targets = {BASELINE: to_a_file(folder, trainable), kind: recording.recorder.checkpoint}
        recorder = InTurn(targets, recording.recorder)
        train(trainable, spec, recorder, device=torch.device("cpu"))
        return recorder.costs(), recording.checkpoint_bytes()


def print_rows(case: str, costs: Mapping[str, Sequence[Cost]], size: int) -> None:
    """Print a line per target."""
    base = [each.pause for each in costs[BASELINE]]
    for name, measured in costs.items():
        pause, cpu, after = (statistics.median(each[i] for each in measured) for i in range(3))
        ratio = statistics.median(a.pause / b for a, b in zip(measured, base, strict=False))
        extra = statistics.median(each.extra_bytes for each in measured)
        print(
            f"| {case} | {size / 1e6:.1f} | {name} | {1000 * pause:.0f} | {1000 * cpu:.0f} "
            f"| {1000 * after:.0f} | {size / 1e6 / pause:,.0f} | {pause / ONE_EVERY:.2%} "
            f"| {ratio:.2f} | {extra / 2**20:.0f} |",
            flush=True,
        )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--to", choices=DATABASES, action="append")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(
        f"{datetime.now(UTC).date()}, {cpu_name()}, {arguments.threads} threads, "
        f"{arguments.rounds} rounds\n\n"
        "| model | checkpoint, MB | to | pause, ms | CPU, ms | after, ms | MB/s | of 10 s "
        f"| ratio to {BASELINE} | extra MiB |\n"
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for case in arguments.case or CASES:
        for kind in arguments.to or DATABASES:
            with tempfile.TemporaryDirectory() as folder:
                print_rows(case, *measure(CASES[case], kind, arguments.rounds, Path(folder)))


if __name__ == "__main__":
    main()
