"""How long from accepting a job to its first training step, with a warm worker?

Measured in turns with `python -c "import torch"`, which is what a process per job that is not
forked from a warm server would have to wait for at the least. Training runs at the lowest priority:
on a machine that is busy with other things it waits for them.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from benchmarks.measuring import print_table
from service.catalogue import Catalogue
from service.datasets import registry
from service.domain.components import Component
from service.domain.datasets import TextDatasetSpec
from service.domain.jobs import NewJob
from service.domain.requests import DatasetChoice, JobRequest, TrainingOptions
from service.store import claims, datasets, jobs, metrics, migrate
from service.store.blobs import DatabaseBlobs
from service.store.engine import Database, database_now

TEXT = b"I like eating rice\nyou cook bread\nwe buy apples\nthey share soup\n" * 8
DEADLINE_SECONDS = 120
IMPORT = 'python -c "import torch"'
OURS = "accepted → first step reported"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds: int = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, worker_on(f"sqlite:///{folder}/bench.db") as yard:
        first_step(yard)  # the first fork pays for pages that later ones share
        ours: list[float] = []
        imports: list[float] = []
        for _ in range(rounds):
            ours.append(first_step(yard) * 1000)
            imports.append(import_torch() * 1000)
    print_table(
        "From accepting a job to its first step, with a warm worker",
        {IMPORT: imports, OURS: ours},
        unit="ms",
        baseline=IMPORT,
        extra={OURS: f"{min(ours):.0f} to {max(ours):.0f}"},
    )


def first_step(database: Database) -> float:
    """Accept a job of one step; return the seconds until the step's loss is in the database.

    That is later than the step itself, by the checkpoint that is written with it.
    """
    catalogue = Catalogue.installed()
    request = JobRequest(
        dataset=DatasetChoice(name="bench"),
        architecture=Component(type="rnn"),
        training=TrainingOptions(max_steps=1),
    )
    typed = catalogue.job_request.model_validate_json(request.model_dump_json())
    began = time.perf_counter()
    with database.begin() as session:
        facts = datasets.get_facts(session, "bench")
        new = NewJob(spec=catalogue.resolve(typed, facts))
        job_id = jobs.enqueue(session, new, now=database_now(session)).id
    while time.perf_counter() - began < DEADLINE_SECONDS:
        with database.read() as session:
            stored = metrics.get_metrics(session, job_id, names=["train_loss"], max_points=None)
        if "train_loss" in stored.series:
            return time.perf_counter() - began
        time.sleep(0.002)
    raise TimeoutError(job_id)


def import_torch() -> float:
    """Return the seconds that a new process takes to import torch."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - began


@contextmanager
def worker_on(url: str) -> Generator[Database]:
    """Start a worker process on a new database with a small text in it."""
    database = Database.open(url)
    migrate.upgrade(database)
    spec = TextDatasetSpec(name="bench", type="text")
    new = registry.take_in(spec, {"file": BytesIO(TEXT)}, DatabaseBlobs(database))
    with database.begin() as session:
        datasets.add_dataset(session, new, now=database_now(session))
    worker = subprocess.Popen(
        [sys.executable, "-m", "service", "worker"],
        env={**os.environ, "TRAINYARD_DATABASE_URL": url},
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parent.parent,
    )
    try:
        wait_until_registered(database)
        yield database
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait()
        database.dispose()


def wait_until_registered(database: Database) -> None:
    deadline = time.perf_counter() + DEADLINE_SECONDS
    while time.perf_counter() < deadline:
        with database.read() as session:
            if claims.list_workers(session):
                return
        time.sleep(0.05)
    raise TimeoutError


if __name__ == "__main__":
    main()
