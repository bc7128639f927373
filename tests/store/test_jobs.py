"""Jobs as clients see them: accepted once, listed without gaps, acted on by one table."""

import hashlib
from itertools import product
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.jobs import Job, JobError, JobStatus, NewJob
from service.domain.transitions import (
    TRANSITIONS,
    Becomes,
    Gone,
    JobAction,
    JobActionRefused,
)
from service.store import blobs, claims, datasets, jobs
from service.store.engine import Database
from service.store.errors import ClientIdTaken, DatasetNotFound, JobNotFound, UnknownCursor
from service.store.jobs import JobFilters
from tests.builders import (
    NOON,
    a_claim,
    a_dataset,
    a_draft,
    a_queued_job,
    a_recorder,
    a_spec,
    a_trained_job,
)


def test_an_accepted_job_is_read_back_whole(database: Database) -> None:
    metadata = {'odd "key" \\ $.x': "값", "course": "dl1"}
    job = a_queued_job(database, model="eating", client_id="mine", metadata=metadata)

    with database.read() as session:
        assert jobs.get_job(session, job.id) == job
        assert jobs.find_status(session, job.id) == ("queued", None)
    assert job.metadata == metadata
    assert (job.status, job.attempt, job.queue_position) == ("queued", 0, 1)
    assert job.spec.architecture.options() == {"type": "rnn", "hidden_size": 8}


def test_a_client_id_is_taken_once(database: Database) -> None:
    a_queued_job(database, client_id="mine")
    with pytest.raises(ClientIdTaken):
        a_queued_job(database, client_id="mine")


def test_a_job_needs_its_dataset(database: Database) -> None:
    dataset = a_dataset(database)
    with database.begin() as session:
        datasets.delete_dataset(session, dataset.name)
    with pytest.raises(DatasetNotFound), database.begin() as session:
        jobs.enqueue(session, NewJob(spec=a_spec(dataset)), now=NOON)


def test_what_does_not_exist_is_not_found(database: Database) -> None:
    with database.begin() as session:
        assert jobs.find_status(session, "job_0") is None
        with pytest.raises(JobNotFound):
            jobs.get_job(session, "job_0")
        for action in get_args(JobAction):
            with pytest.raises(JobNotFound):
                jobs.apply_action(session, "job_0", action, now=NOON)


def test_the_queue_is_numbered_as_it_will_be_claimed(database: Database) -> None:
    ordinary, urgent, later = (a_queued_job(database, priority=p) for p in (0, 5, 0))
    with database.read() as session:
        listed = jobs.list_jobs(session, filters=JobFilters()).data
    positions = {job.id: job.queue_position for job in listed}
    assert positions == {urgent.id: 1, ordinary.id: 2, later.id: 3}


def test_filters_narrow_the_list(database: Database) -> None:
    plain = a_queued_job(database)
    odd = a_queued_job(database, model="eating", client_id="mine", metadata={'a"b': "x", "c": "y"})
    with database.begin() as session:
        jobs.apply_action(session, plain.id, "pause", now=NOON)

    def found(filters: JobFilters) -> list[str]:
        with database.read() as session:
            return [job.id for job in jobs.list_jobs(session, filters=filters).data]

    assert found(JobFilters()) == [odd.id, plain.id]
    assert found(JobFilters(status="paused")) == [plain.id]
    assert found(JobFilters(model="eating")) == [odd.id]
    assert found(JobFilters(client_id="mine")) == [odd.id]
    assert found(JobFilters(dataset="eating", status="queued")) == [odd.id]
    assert found(JobFilters(metadata={'a"b': "x", "c": "y"})) == [odd.id]
    assert found(JobFilters(metadata={'a"b': "x", "c": "z"})) == []
    assert found(JobFilters(kind="race")) == []


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(limit=st.integers(1, 7), before=st.integers(0, 9), between=st.integers(0, 2))
def test_pages_never_skip_or_repeat(
    database: Database, limit: int, before: int, between: int
) -> None:
    spec = a_spec(a_dataset(database))

    def enqueue(count: int) -> list[str]:
        with database.begin() as session:
            return [jobs.enqueue(session, NewJob(spec=spec), now=NOON).id for _ in range(count)]

    with database.read() as session:
        earlier = [job.id for job in jobs.list_jobs(session, filters=JobFilters(), limit=100).data]
    expected = [*reversed(enqueue(before)), *earlier][:100]
    seen: list[str] = []
    after: str | None = None
    while len(seen) < len(expected):
        with database.read() as session:
            page = jobs.list_jobs(session, filters=JobFilters(), limit=limit, after=after)
        assert page.has_more == (len(seen) + len(page.data) < len(expected)) or len(earlier) > 90
        seen += [job.id for job in page.data]
        assert (page.first_id, page.last_id) == (page.data[0].id, seen[-1])
        after = page.last_id
        enqueue(between)  # newer ones arrive while somebody pages
    assert seen[: len(expected)] == expected


def test_a_page_is_at_most_a_hundred_and_its_cursor_must_exist(database: Database) -> None:
    spec = a_spec(a_dataset(database))
    with database.begin() as session:
        for _ in range(101):
            jobs.enqueue(session, NewJob(spec=spec), now=NOON)
        page = jobs.list_jobs(session, filters=JobFilters(), limit=1000)
        assert (len(page.data), page.has_more) == (100, True)
        with pytest.raises(UnknownCursor):
            jobs.list_jobs(session, filters=JobFilters(), after="job_0")


def a_job_that_is(database: Database, status: JobStatus) -> Job:
    """Bring a job into a status the way it really gets there."""
    if status == "succeeded":
        return a_trained_job(database)[0]
    job = a_queued_job(database)
    if status in {"running", "failed"}:
        claim = a_claim(database)
        if status == "failed":
            with database.begin() as session:
                claims.fail(session, claim.lease, JobError(code="x", message="x"), now=NOON)
    if status in {"paused", "cancelled"}:
        with database.begin() as session:
            action: JobAction = "pause" if status == "paused" else "cancel"
            jobs.apply_action(session, job.id, action, now=NOON)
    with database.read() as session:
        job = jobs.get_job(session, job.id)
    assert job.status == status
    return job


@pytest.mark.parametrize(
    ("action", "status"), list(product(get_args(JobAction), get_args(JobStatus)))
)
def test_every_action_does_in_every_status_what_the_table_says(
    database: Database, action: JobAction, status: JobStatus
) -> None:
    job = a_job_that_is(database, status)
    outcome = TRANSITIONS[action][status]
    with database.begin() as session:
        if isinstance(outcome, Becomes):
            changed = jobs.apply_action(session, job.id, action, now=NOON)
            assert changed is not None
            reasons = {"cancel": "cancelling", "pause": "pausing", None: None}
            reason = reasons[outcome.order]
            assert jobs.find_status(session, job.id) == (outcome.status, reason)
            assert (changed.ended_at is None) == (changed.status != "cancelled")
            assert changed.error is None
        elif isinstance(outcome, Gone):
            assert jobs.apply_action(session, job.id, action, now=NOON) is None
            assert jobs.find_status(session, job.id) is None
        else:
            with pytest.raises(JobActionRefused) as refusal:
                jobs.apply_action(session, job.id, action, now=NOON)
            assert refusal.value.extensions["current_status"] == status
            assert jobs.get_job(session, job.id) == job


def test_asking_twice_changes_nothing_more(database: Database) -> None:
    job = a_queued_job(database)
    with database.begin() as session:
        first = jobs.apply_action(session, job.id, "pause", now=NOON)
        again = jobs.apply_action(session, job.id, "pause", now=NOON.replace(hour=13))
    assert first == again


def test_a_noted_cancel_is_not_taken_back(database: Database) -> None:
    job = a_job_that_is(database, "running")
    with database.begin() as session:
        jobs.apply_action(session, job.id, "cancel", now=NOON)
        for action in ("resume", "pause"):
            unchanged = jobs.apply_action(session, job.id, action, now=NOON)
            assert unchanged is not None
            assert unchanged.status_reason == "cancelling"


def test_a_retried_job_counts_its_failures_from_zero(database: Database) -> None:
    job = a_job_that_is(database, "failed")
    with database.begin() as session:
        retried = jobs.apply_action(session, job.id, "retry", now=NOON)
    assert retried is not None
    assert (retried.error, retried.ended_at, retried.queue_position) == (None, None, 1)


def test_deleting_a_job_frees_its_bytes_but_keeps_its_models(database: Database) -> None:
    job, _ = a_trained_job(database)
    other = a_queued_job(database)
    a_recorder(database, a_claim(database)).checkpoint(a_draft(step=99))
    with database.begin() as session:
        jobs.apply_action(session, job.id, "delete", now=NOON)

    assert blobs.read(database, sha256_of(b"weights of step 10"))  # the model version's
    with pytest.raises(KeyError):
        blobs.read(database, sha256_of(b"state of step 10"))
    assert blobs.read(database, sha256_of(b"state of step 99"))  # the other job's
    with database.read() as session:
        assert [kept.id for kept in jobs.list_jobs(session, filters=JobFilters()).data] == [
            other.id
        ]


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
