"""Things for tests to work with: typed functions with defaults; a test says what matters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.context import BaseContext

from service.domain.components import Component
from service.domain.datasets import Dataset, DatasetFile, NewDataset, TextFacts
from service.domain.jobs import (
    Baseline,
    CheckpointKind,
    CheckpointSpec,
    Claim,
    DatasetSpec,
    Job,
    JobResult,
    JobSpec,
    NewJob,
    RunInfo,
    TrainingSpec,
)
from service.domain.ports import CheckpointDraft
from service.domain.requests import Device
from service.store import blobs, claims, datasets, jobs
from service.store.engine import Database
from service.store.recorder import DatabaseRecorder

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LEASE = timedelta(seconds=15)
COMPONENTS = (
    "architecture:rnn",
    "optimizer:sgd",
    "schedule:constant",
    "task:next_word",
)
PREPARATION = b'{"vocabulary":["<unk>","<eos>","eating"]}'
BASELINE = Baseline(name="unigram", metrics={"val_loss": 3.0})


def forkserver() -> BaseContext:
    """Return how tests start processes: quick, and with nothing of this process inherited."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.builders"])
    return context


def a_dataset(
    database: Database,
    *,
    name: str = "eating",
    content: bytes = b"I like eating\n",
    built_in: bool = False,
    now: datetime = NOON,
) -> Dataset:
    """Store a text dataset; the same one again when it exists."""
    sha256, size = blobs.put(database, content)
    facts = TextFacts(
        sequences="lines", lines=1, words=3, distinct_words=3, vocabulary_sizes=[5, 2]
    )
    new = NewDataset(
        name=name,
        sha256=sha256,
        options={},
        facts=facts,
        files=[DatasetFile(role="file", sha256=sha256, bytes=size)],
        built_in=built_in,
    )
    with database.begin() as session:
        return datasets.add_dataset(session, new, now=now)[0]


def a_spec(
    dataset: Dataset,
    *,
    model: str | None = None,
    device: Device = "auto",
    keep_best: int = 1,
    keep_latest: int = 1,
    keep_periodic: int = 20,
) -> JobSpec:
    """Make a resolved spec of a small recurrent network."""
    return JobSpec(
        model=model,
        task="next_word",
        dataset=DatasetSpec(
            name=dataset.name, id=dataset.id, type="text", sha256=dataset.sha256, options={}
        ),
        architecture=Component.model_validate({"type": "rnn", "hidden_size": 8}),
        optimizer=Component.model_validate({"type": "sgd", "lr": 0.1}),
        schedule=Component(type="constant"),
        training=TrainingSpec(
            epochs=3,
            max_steps=None,
            batch_size=4,
            seed=0,
            device=device,
            precision="float32",
            gradient_clip=None,
            early_stopping=None,
            checkpoint=CheckpointSpec(
                every_steps=None,
                keep_best=keep_best,
                keep_latest=keep_latest,
                keep_periodic=keep_periodic,
            ),
            max_seconds=None,
            best_metric="val_loss",
        ),
    )


def a_queued_job(
    database: Database,
    *,
    spec: JobSpec | None = None,
    model: str | None = None,
    priority: int = 0,
    client_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
    now: datetime = NOON,
) -> Job:
    """Accept a job."""
    spec = spec or a_spec(a_dataset(database), model=model)
    new = NewJob(spec=spec, priority=priority, client_id=client_id, metadata=dict(metadata or {}))
    with database.begin() as session:
        return jobs.enqueue(session, new, now=now)


def find_claim(
    database: Database,
    *,
    worker_id: str = "wrk_1",
    devices: Sequence[str] = ("cpu",),
    components: Sequence[str] = COMPONENTS,
    lease_for: timedelta = LEASE,
    now: datetime = NOON,
) -> Claim | None:
    """Claim the next job, if there is one."""
    with database.begin() as session:
        return claims.claim(
            session,
            worker_id=worker_id,
            devices=devices,
            components=components,
            lease_for=lease_for,
            now=now,
        )


def a_claim(database: Database, *, now: datetime = NOON) -> Claim:
    """Claim the next job, which must be there."""
    claim = find_claim(database, now=now)
    assert claim is not None
    return claim


def a_recorder(database: Database, claim: Claim, *, started: bool = True) -> DatabaseRecorder:
    """Make the recorder of a claimed job."""
    recorder = DatabaseRecorder(database, claim, lambda: None)
    if started:
        recorder.started(a_run(), PREPARATION)
    return recorder


def a_run() -> RunInfo:
    """Make what a job says when it starts."""
    return RunInfo(
        device="cpu", threads=1, precision="float32", torch="2.13.0", cpu="AVX2", parameters=100
    )


@dataclass(frozen=True)
class Bytes:
    """Some bytes as the content of a draft."""

    content: bytes

    def pieces(self) -> Iterator[memoryview]:
        yield memoryview(self.content)


def a_draft(
    *,
    kinds: Sequence[CheckpointKind] = ("latest",),
    step: int = 10,
    weights: bytes = b"weights",
    state: bytes = b"state",
) -> CheckpointDraft:
    """Make a checkpoint; its bytes differ by step."""
    tag = b" of step %d" % step
    return CheckpointDraft(
        kinds=kinds,
        step=step,
        epoch=1,
        metrics={"val_loss": 1.5},
        weights=Bytes(weights + tag),
        state=Bytes(state + tag),
    )


def a_trained_job(
    database: Database, *, model: str | None = None, step: int = 10
) -> tuple[Job, JobResult]:
    """Run a job to its end, with one checkpoint of kind best and latest."""
    job = a_queued_job(database, model=model)
    claim = a_claim(database)
    assert claim.job_id == job.id
    a_recorder(database, claim).checkpoint(a_draft(kinds=("best", "latest"), step=step))
    with database.begin() as session:
        result = claims.succeed(session, claim.lease, baseline=BASELINE, now=NOON)
        return jobs.get_job(session, job.id), result
