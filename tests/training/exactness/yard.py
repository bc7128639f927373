"""A database with data of every type in it, requests in its queue, and what became of them."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from service.datasets import idx, registry
from service.domain.datasets import (
    DatasetFacts,
    IdxDatasetSpec,
    LabelledTextDatasetSpec,
    TableDatasetSpec,
    TextDatasetSpec,
)
from service.domain.jobs import JobSpec, NewJob, Series
from service.store import certificates, checkpoints, datasets, events, jobs, metrics
from service.store.blobs import DatabaseBlobs
from service.store.engine import Database, database_now
from tests.training.exactness.lane import Kill, Plan, Report

WORDS = ("rice", "noodles", "soup", "apples", "bread", "kimchi", "tofu", "tea")
PEOPLE = ("I", "you", "We", "they")
TABLE = "\n".join(
    ["hour,sky,day,wind,power"]
    + [
        f"{n % 24},{('clear', 'rain', 'fog')[n % 3]},2026-0{1 + n // 28}-{1 + n % 28:02},"
        f"{'' if n % 5 == 0 else n / 2},{n * 1.5 - n % 7}"
        for n in range(90)
    ]
).encode()
NAMES = ("lines", "stream", "images", "labels", "numbers", "kinds")


class End(NamedTuple):
    """How a job ended: all that is the same however often it was killed."""

    status: str
    step: int
    checkpoints: list[tuple[str, int, int, str, str]]  # kind, step, epoch, weights, state
    metrics: dict[str, Series]
    epochs: list[Any]
    range_tests: list[Any]
    findings: list[Any]
    certificate: tuple[str | None, bool | None, int]
    result: Any


def store_data(database: Database) -> None:
    """Store a small dataset of every type, and of every way to read it, that a task learns from."""
    lines = [
        f"{who} eat {what} and {other}" for who in PEOPLE for what in WORDS for other in WORDS[:3]
    ]
    text = "\n".join(lines).encode()
    labelled = "text,label\n" + "".join(
        f"{line},{('sweet', 'salty', 'sour')[number % 3]}\n" for number, line in enumerate(lines)
    )
    sink = DatabaseBlobs(database)
    specs: list[tuple[Any, dict[str, bytes]]] = [
        (TextDatasetSpec(name="lines", type="text", sequences="lines"), {"file": text}),
        (TextDatasetSpec(name="stream", type="text", sequences="stream"), {"file": text + b"\n."}),
        (IdxDatasetSpec(name="images", type="idx"), _images(96)),
        (LabelledTextDatasetSpec(name="labels", type="labelled_text"), {"file": labelled.encode()}),
        (TableDatasetSpec(name="numbers", type="table", target="power"), {"file": TABLE}),
        (TableDatasetSpec(name="kinds", type="table", target="sky"), {"file": TABLE}),
    ]
    for spec, files in specs:
        new = registry.take_in(spec, {role: BytesIO(each) for role, each in files.items()}, sink)
        with database.begin() as session:
            datasets.add_dataset(session, new, now=database_now(session))


def stored_data(database: Database) -> dict[str, DatasetFacts]:
    """Describe what was stored."""
    with database.read() as session:
        return {name: datasets.get_facts(session, name) for name in NAMES}


def enqueue(database: Database, specs: Iterable[JobSpec]) -> list[str]:
    """Accept jobs; return their ids."""
    with database.begin() as session:
        now = database_now(session)
        return [jobs.enqueue(session, NewJob(spec=spec), now=now).id for spec in specs]


class Lane:
    """A database, and a process that trains what is in its queue."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.training.exactness.lane"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )

    def work_off(self, kills: Mapping[str, list[Kill]], threads: Mapping[str, int]) -> Report:
        """Have all jobs in the queue trained, by forks that die as they are told."""
        url = self.database.engine.url.render_as_string(hide_password=False)
        plan = Plan(database_url=url, threads=dict(threads), kills=dict(kills))
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(plan.model_dump_json() + "\n")
        self._process.stdin.flush()
        return Report.model_validate_json(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def end_of(database: Database, job_id: str) -> End:
    """Read how a job ended."""
    with database.read() as session:
        job = jobs.get_job(session, job_id)
        kept = checkpoints.list_checkpoints(session, job_id, limit=100).data
        series = metrics.get_metrics(session, job_id, names=None, max_points=None).series
        certificate = certificates.get_certificate(session, job_id)
        happened = events.list_events(session, job_id, limit=10_000)
    result = job.result
    return End(
        status=job.status,
        step=job.progress.step,
        checkpoints=sorted(
            (each.kind, each.step, each.epoch, each.weights_sha256, each.state_sha256)
            for each in kept
        ),
        metrics={name: each for name, each in series.items() if not name.startswith("time/")},
        certificate=(certificate.sha256, certificate.exact, certificate.links),
        epochs=[each.data for each in happened if each.type == "epoch"],
        range_tests=[each.data for each in happened if each.type == "range_test"],
        findings=[each.data for each in happened if each.type == "finding"],
        result=None if result is None else (result.metrics, result.baseline, result.evaluation),
    )


def _images(count: int) -> dict[str, bytes]:
    generator = np.random.default_rng(0)
    labels = (np.arange(count) % 4).astype(np.uint8)
    images = generator.integers(0, 120, size=(count, 8, 8), dtype=np.uint8)
    images += (labels * 30)[:, None, None]
    return {"images": idx.encode(images), "labels": idx.encode(labels)}
