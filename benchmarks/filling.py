"""Databases with a long past: jobs, their components, labels and points, written in bulk."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks.measuring import resolve
from service.datasets import registry
from service.domain.jobs import JobSpec, NewJob, Progress
from service.store import datasets, jobs
from service.store.blobs import DatabaseBlobs
from service.store.engine import Database, database_now
from service.store.ids import new_id
from service.store.tables import JobComponentRow, JobLabelRow, JobRow, MetricRow, Row

DATASET = "eating"
SLICE = 5000
MODELS = 50
REQUEST: Mapping[str, Any] = {"architecture": "rnn", "training": {"max_steps": 1_000_000}}


class Past(NamedTuple):
    """What a benchmark needs to make more of the same."""

    spec: JobSpec
    row: Mapping[str, Any]
    """A job as the service has stored it."""


def begin(database: Database) -> Past:
    """Store the dataset and one job, as the service does."""
    new = registry.take_in_built_in(registry.built_ins()[DATASET], DatabaseBlobs(database))
    with database.begin() as session:
        now = database_now(session)
        datasets.add_dataset(session, new, now=now)
        spec = resolve(datasets.get_facts(session, new.name), **REQUEST)
        job = jobs.enqueue(session, NewJob(spec=spec), now=now)
        stored = sa.select(JobRow.__table__).where(JobRow.id == job.id)
        row = dict(session.execute(stored).mappings().one())
        session.execute(sa.delete(JobRow).where(JobRow.id == job.id))
    return Past(spec, {str(name): value for name, value in row.items()})


def add_jobs(database: Database, past: Past, count: int, *, status: str) -> Sequence[str]:
    """Add jobs that are like the first one, in one of `MODELS` models each; return their ids."""
    ids = [new_id("job") for _ in range(count)]
    done = Progress(epoch=3, step=100, steps=100, percent=100.0).model_dump(mode="json")
    for begins in range(0, count, SLICE):
        part = ids[begins : begins + SLICE]
        with database.begin() as session:
            rows = [
                {
                    **past.row,
                    "id": job_id,
                    "status": status,
                    "model": f"model-{number % MODELS}",
                    "progress": past.row["progress"] if status == "queued" else done,
                    "trained_seconds": 3.0,
                }
                for number, job_id in enumerate(part)
            ]
            _insert(session, JobRow, rows)
            needs = past.spec.components()
            _insert(
                session,
                JobComponentRow,
                [{"job_id": job_id, "component": need} for job_id in part for need in needs],
            )
            labels = [
                {"job_id": job_id, "key": "course", "value": str(number % MODELS)}
                for number, job_id in enumerate(part)
            ]
            _insert(session, JobLabelRow, labels)
    return ids


def add_points(database: Database, job_id: str, count: int) -> None:
    """Give a job a series with so many points."""
    for begins in range(0, count, 10 * SLICE):
        steps = range(begins, min(count, begins + 10 * SLICE))
        rows = [
            {"job_id": job_id, "name": "train_loss", "step": step, "epoch": 1, "nonfinite": None}
            | {"value": math.sin(step) + 1 / (step + 1)}
            for step in steps
        ]
        with database.begin() as session:
            _insert(session, MetricRow, rows)


def _insert(session: Session, table: type[Row], rows: Sequence[Mapping[str, Any]]) -> None:
    # Without the ORM, whose bulk insert knows columns by other names.
    columns: Any = table.__table__
    session.connection().execute(sa.insert(columns), [dict(row) for row in rows])
