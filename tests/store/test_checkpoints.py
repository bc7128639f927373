"""Checkpoints: stored whole or not at all, kept as the job asked."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest
import sqlalchemy as sa

from service.domain.jobs import Checkpoint, Progress
from service.domain.ports import MetricPoint
from service.store import blobs, checkpoints, jobs, metrics
from service.store.engine import Database
from service.store.errors import JobNotFound, UnknownCursor
from service.store.recorder import DatabaseRecorder
from service.store.tables import BlobRow
from tests.builders import (
    PREPARATION,
    a_claim,
    a_dataset,
    a_draft,
    a_queued_job,
    a_recorder,
    a_run,
    a_spec,
)


def test_a_checkpoint_holds_the_bytes_it_was_made_of(database: Database) -> None:
    job = a_queued_job(database)
    a_recorder(database, a_claim(database)).checkpoint(a_draft(kinds=("best", "latest"), step=7))

    listed = kept(database, job.id)
    assert [checkpoint.kind for checkpoint in listed] == ["latest", "best"]
    with database.read() as session:
        point = checkpoints.newest_for_resume(session, job.id)
    assert point is not None
    weights = blobs.read(database, point.weights_sha256)
    state = blobs.read(database, point.state_blob_sha256)
    assert (weights, state) == (b"weights of step 7", b"state of step 7")
    chained = f"{point.weights_sha256}{point.state_blob_sha256}".encode()
    assert {c.state_sha256 for c in listed} == {hashlib.sha256(chained).hexdigest()}
    assert {c.bytes for c in listed} == {len(weights) + len(state)}


def test_only_the_asked_number_of_each_kind_is_kept(database: Database) -> None:
    spec = a_spec(a_dataset(database), keep_best=2, keep_latest=1, keep_periodic=3)
    job = a_queued_job(database, spec=spec)
    recorder = a_recorder(database, a_claim(database))
    for step in range(5):
        recorder.checkpoint(a_draft(kinds=("best", "latest", "periodic", "pause"), step=step))

    listed = kept(database, job.id)
    assert Counter(c.kind for c in listed) == {"best": 2, "latest": 1, "periodic": 3, "pause": 1}
    assert [c.step for c in listed if c.kind == "periodic"] == [4, 3, 2]


def test_bytes_of_dropped_checkpoints_are_freed_and_shared_ones_stay(database: Database) -> None:
    a_queued_job(database)
    recorder = a_recorder(database, a_claim(database))
    recorder.checkpoint(a_draft(kinds=("best", "latest"), step=1))
    for step in (2, 3):
        recorder.checkpoint(a_draft(kinds=("latest",), step=step))

    for step, there in ((1, True), (2, False), (3, True)):
        sha256 = hashlib.sha256(b"weights of step %d" % step).hexdigest()
        assert sha_is_stored(database, sha256) == there


def test_a_kind_that_is_not_wanted_stores_nothing(database: Database) -> None:
    spec = a_spec(a_dataset(database), keep_periodic=0)
    job = a_queued_job(database, spec=spec)
    a_recorder(database, a_claim(database)).checkpoint(a_draft(kinds=("periodic",), step=1))

    assert kept(database, job.id) == []
    sha256 = hashlib.sha256(b"weights of step 1").hexdigest()
    assert not sha_is_stored(database, sha256)


def test_no_hold_is_left_when_training_ends(database: Database) -> None:
    a_queued_job(database)
    recorder = a_recorder(database, a_claim(database))
    recorder.started(a_run(), PREPARATION)  # as every new attempt does
    for _ in range(2):
        recorder.checkpoint(a_draft(kinds=("best", "latest")))
    with database.read() as session:
        assert session.scalars(sa.select(sa.func.sum(BlobRow.holds))).one() == 0


def test_large_checkpoints_leave_no_garbage(database: Database) -> None:
    a_queued_job(database)
    recorder = a_recorder(database, a_claim(database))
    for step in range(3):
        recorder.checkpoint(a_draft(step=step, weights=b"w" * 9_000_000))
    assert blobs.sweep(database) == 0


def test_resume_goes_on_where_the_job_came_furthest(database: Database) -> None:
    job = a_queued_job(database)
    recorder = a_recorder(database, a_claim(database))
    with database.read() as session:
        assert checkpoints.newest_for_resume(session, job.id) is None
    recorder.checkpoint(a_draft(kinds=("best",), step=5))
    recorder.checkpoint(a_draft(kinds=("latest",), step=9))
    with database.read() as session:
        point = checkpoints.newest_for_resume(session, job.id)
    assert point is not None
    assert point.step == 9


def test_checkpoints_are_listed_in_pages(database: Database) -> None:
    job = a_queued_job(database)
    recorder = a_recorder(database, a_claim(database))
    for step in range(5):
        recorder.checkpoint(a_draft(kinds=("periodic",), step=step))
    with database.read() as session:
        first = checkpoints.list_checkpoints(session, job.id, limit=3)
        rest = checkpoints.list_checkpoints(session, job.id, limit=3, after=first.last_id)
        assert [c.step for c in [*first.data, *rest.data]] == [4, 3, 2, 1, 0]
        assert (first.has_more, rest.has_more) == (True, False)
        with pytest.raises(UnknownCursor):
            checkpoints.list_checkpoints(session, job.id, after="ckpt_0")
        with pytest.raises(JobNotFound):
            checkpoints.list_checkpoints(session, "job_0")


def test_a_value_that_is_not_finite_is_null_in_a_checkpoint(database: Database) -> None:
    job = a_queued_job(database)
    recorder = a_recorder(database, a_claim(database))
    recorder.checkpoint(a_draft()._replace(metrics={"val_loss": float("nan")}))
    assert kept(database, job.id)[0].metrics == {"val_loss": None}


def test_reports_are_written_twice_a_second_and_with_every_checkpoint(database: Database) -> None:
    job = a_queued_job(database)
    clock: Iterator[float] = count(0, 0.2)  # every look at the clock is 0.2 s later
    recorder = DatabaseRecorder(database, a_claim(database), lambda: None, clock=clock.__next__)
    recorder.started(a_run(), PREPARATION)

    def steps() -> int:
        with database.read() as session:
            stored = metrics.get_metrics(session, job.id, names=None, max_points=None)
        return sum(len(series.step) for series in stored.series.values())

    written: list[int] = []
    for step in range(4):
        recorder.metrics([MetricPoint("train_loss", step, 1, 1.0)])
        written.append(steps())
    assert written == [0, 0, 3, 3]
    recorder.progress(Progress(step=4))
    recorder.checkpoint(a_draft())
    assert steps() == 4
    with database.read() as session:
        assert jobs.get_job(session, job.id).progress.step == 4


def kept(database: Database, job_id: str) -> list[Checkpoint]:
    with database.read() as session:
        return checkpoints.list_checkpoints(session, job_id, limit=100).data


def sha_is_stored(database: Database, sha256: str) -> bool:
    with database.read() as session:
        return session.get(BlobRow, sha256) is not None
