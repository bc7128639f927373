"""What recording costs a tiny RNN: nothing recorded, batches each half second, a commit per step.

The recorder is the one of a real job, under a real lease, on a new SQLite file with
`synchronous=FULL`. A hidden state of 64, batches of 32, lines of eight words.

    python benchmarks/logging_overhead.py [--rounds 7] [--steps 1000]
"""

import argparse
import random
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import torch

from benchmarks.measuring import Silent, print_table, resolve
from service.catalogue import Catalogue
from service.datasets import registry
from service.datasets.base import Data
from service.domain.datasets import DatasetFacts, TextDatasetSpec
from service.domain.jobs import JobSpec, NewJob, Progress
from service.domain.ports import CheckpointDraft, MetricPoint, Recorder
from service.store import claims, datasets, jobs, migrate
from service.store.blobs import DatabaseBlobs
from service.store.engine import Database, database_now
from service.store.recorder import DatabaseRecorder
from service.training.loop import train

RECORDERS = ("nothing recorded", "every 0.5 s", "a commit per step")


class LogOnly(Silent):
    """Writes metrics and progress; checkpoints are another benchmark's matter."""

    def __init__(self, inner: DatabaseRecorder) -> None:
        super().__init__()
        self.inner = inner

    def metrics(self, points: Sequence[MetricPoint]) -> None:
        """Hand them on."""
        self.inner.metrics(points)

    def progress(self, progress: Progress) -> None:
        """Hand it on."""
        self.inner.progress(progress)

    def checkpoint(self, draft: CheckpointDraft) -> None:  # noqa: ARG002
        """Write what was gathered, no bytes."""
        self.inner.flush()


class CommitPerStep(LogOnly):
    """What we do not do: a transaction for every step."""

    def __init__(self, inner: DatabaseRecorder) -> None:
        super().__init__(inner)
        self.asked = 0

    def command(self) -> None:
        """Write one point and commit, before each batch."""
        self.asked += 1
        self.inner.metrics([MetricPoint("every_step", self.asked, 1, float(self.asked))])
        self.inner.flush()


def sentences(count: int) -> bytes:
    """Write so many lines of eight words."""
    words = [f"word{index}" for index in range(200)]
    generator = random.Random(0)
    return "\n".join(" ".join(generator.choices(words, k=8)) for _ in range(count)).encode()


def stored(database: Database, text: bytes) -> DatasetFacts:
    """Store a text as a dataset."""
    spec = TextDatasetSpec(name="eight-words", type="text")
    new = registry.take_in(spec, {"file": BytesIO(text)}, DatabaseBlobs(database))
    with database.begin() as session:
        datasets.add_dataset(session, new, now=database_now(session))
        return datasets.get_facts(session, new.name)


def recorder_of(kind: str, database: Database, spec: JobSpec) -> Recorder:
    """Make a recorder; those that write hold a new job."""
    if kind == RECORDERS[0]:
        return Silent()
    with database.begin() as session:
        jobs.enqueue(session, NewJob(spec=spec), now=database_now(session))
        claim = claims.claim(
            session,
            worker_id="wrk_benchmark",
            devices=["cpu"],
            components=spec.components(),
            lease_for=timedelta(hours=1),
            now=database_now(session),
        )
    assert claim is not None
    inner = DatabaseRecorder(database, claim, lambda: None)
    return LogOnly(inner) if kind == RECORDERS[1] else CommitPerStep(inner)


def steps_per_second(kind: str, database: Database, spec: JobSpec, data: Data) -> float:
    """Train once with one kind of recorder."""
    trainable = Catalogue.installed().build(spec, data)
    recorder = recorder_of(kind, database, spec)
    started = time.perf_counter()
    train(trainable, spec, recorder, device=torch.device("cpu"))
    return trainable.steps / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=1000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # as the worker does for a model so small
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(f"sqlite:///{Path(folder) / 'benchmark.db'}")
        migrate.upgrade(database)
        facts = stored(database, sentences(32 * arguments.steps + 4000))
        spec = resolve(
            facts,
            architecture={"type": "rnn", "hidden_size": 64},
            training={"max_steps": arguments.steps, "batch_size": 32, "device": "cpu"},
        )
        data = registry.load(facts, DatabaseBlobs(database))
        speeds: dict[str, list[float]] = {kind: [] for kind in RECORDERS}
        steps_per_second(RECORDERS[0], database, spec, data)  # warm-up
        for turn in range(arguments.rounds):
            for kind in RECORDERS if turn % 2 == 0 else reversed(RECORDERS):
                speeds[kind].append(steps_per_second(kind, database, spec, data))
        database.dispose()
    print_table(
        f"RNN, hidden 64, batch 32, 8 words: {arguments.steps} steps, 1 thread, SQLite with "
        f"synchronous=FULL, {arguments.rounds} alternating rounds",
        speeds,
        unit="steps/s",
        baseline=RECORDERS[0],
    )


if __name__ == "__main__":
    main()
