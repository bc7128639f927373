"""Claims: each job to one worker, kept by heartbeat, given back or lost."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.jobs import Claim, JobError, JobStatus, NewJob, Progress
from service.domain.ports import MetricPoint
from service.domain.transitions import JobAction
from service.domain.workers import NewWorker
from service.store import checkpoints, claims, events, jobs, metrics
from service.store.engine import Database, database_now
from service.store.errors import LeaseLost
from service.store.recorder import DatabaseRecorder
from service.store.tables import EventRow
from tests.builders import (
    BASELINE,
    COMPONENTS,
    LEASE,
    NOON,
    PREPARATION,
    a_claim,
    a_dataset,
    a_draft,
    a_queued_job,
    a_recorder,
    a_run,
    a_spec,
    find_claim,
    forkserver,
)

PROCESSES = 8


def test_a_claim_carries_the_spec_and_a_new_token_each_time(database: Database) -> None:
    job = a_queued_job(database)
    first = a_claim(database)
    second = a_claim(database, now=NOON + 2 * LEASE)

    assert first.job_id == second.job_id == job.id
    assert first.spec == job.spec
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.lease != second.lease


def test_a_held_job_is_not_claimed_until_its_lease_expires(database: Database) -> None:
    a_queued_job(database)
    claim = a_claim(database)
    with database.begin() as session:
        later = NOON + LEASE / 2
        assert claims.heartbeat(session, claim.lease, lease_for=LEASE, now=later) is None

    assert find_claim(database, now=NOON + 1.2 * LEASE) is None
    assert find_claim(database, now=NOON + 1.6 * LEASE) is not None


def test_higher_priority_comes_first_then_the_older_job(database: Database) -> None:
    ordinary, urgent, later = (a_queued_job(database, priority=p) for p in (0, 5, 0))

    assert [a_claim(database).job_id for _ in range(3)] == [urgent.id, ordinary.id, later.id]


def test_a_worker_gets_only_what_it_can_run(database: Database) -> None:
    on_gpu = a_queued_job(database, spec=a_spec(a_dataset(database), device="cuda"))
    lacking = [name for name in COMPONENTS if name != "architecture:rnn"]

    assert find_claim(database) is None
    assert find_claim(database, devices=("cpu", "cuda"), components=lacking) is None
    claim = find_claim(database, devices=("cpu", "cuda"))
    assert claim is not None
    assert claim.job_id == on_gpu.id


def test_whether_something_is_claimable_can_be_read(database: Database) -> None:
    def claimable(after: timedelta) -> bool:
        with database.read() as session:
            return claims.has_claimable(
                session, devices=["cpu"], components=COMPONENTS, now=NOON + after
            )

    assert not claimable(timedelta(0))
    a_queued_job(database)
    assert claimable(timedelta(0))
    a_claim(database)
    assert not claimable(timedelta(0))
    assert claimable(2 * LEASE)


def claim_all(url: str) -> list[str]:
    """Claim until nothing is left, as a worker process does."""
    database = Database.open(url, pool_size=1)
    taken: list[str] = []
    while True:
        with database.begin() as session:
            now = database_now(session)
            claim = claims.claim(
                session,
                worker_id="wrk",
                devices=["cpu"],
                components=COMPONENTS,
                lease_for=timedelta(minutes=10),
                now=now,
            )
        if claim is None:
            database.dispose()
            return taken
        taken.append(claim.job_id)


@pytest.mark.parametrize("count", [160, pytest.param(1000, marks=pytest.mark.slow)])
def test_eight_processes_claim_all_jobs_and_none_twice(database: Database, count: int) -> None:
    spec = a_spec(a_dataset(database))
    with database.begin() as session:
        ids = {jobs.enqueue(session, NewJob(spec=spec), now=NOON).id for _ in range(count)}
    url = database.engine.url.render_as_string(hide_password=False)
    with ProcessPoolExecutor(PROCESSES, mp_context=forkserver()) as pool:
        taken = [job for jobs in pool.map(claim_all, [url] * PROCESSES) for job in jobs]

    assert len(taken) == count
    assert set(taken) == ids


WRITES: dict[str, Callable[[Session, str], object]] = {
    "heartbeat": lambda s, lease: claims.heartbeat(s, lease, lease_for=LEASE, now=NOON),
    "release": lambda s, lease: claims.release(s, lease, status="queued", now=NOON),
    "record_death": lambda s, lease: claims.record_death(
        s, lease, code="child_died", message="It died.", max_deaths=3, now=NOON
    ),
    "fail": lambda s, lease: claims.fail(s, lease, JobError(code="x", message="x"), now=NOON),
    "succeed": lambda s, lease: claims.succeed(s, lease, baseline=BASELINE, now=NOON),
    "add_points": lambda s, lease: metrics.add_points(
        s, lease, [MetricPoint("train_loss", 1, 1, 1.0)]
    ),
    "delete_after": lambda s, lease: metrics.delete_after(s, lease, 0),
    "report_progress": lambda s, lease: metrics.report_progress(
        s, lease, Progress(), trained_seconds=0.0, now=NOON
    ),
    "checkpoint": lambda s, lease: checkpoints.add(
        s,
        lease,
        checkpoints.StoredState({"latest": "ckpt_1"}, 1, 1, {}, "0", 1, "1", 1),
        now=NOON,
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_worker_that_lost_its_lease_cannot_write(database: Database, write: str) -> None:
    job = a_queued_job(database)
    lost = a_claim(database)
    a_recorder(database, lost)
    a_claim(database, now=NOON + 2 * LEASE)  # another worker takes over
    with database.read() as session:
        before = jobs.get_job(session, job.id)

    with pytest.raises(LeaseLost), database.begin() as session:
        WRITES[write](session, lost.lease)

    with database.read() as session:
        assert jobs.get_job(session, job.id) == before


REPORTS: dict[str, Callable[[DatabaseRecorder], object]] = {
    "started": lambda recorder: recorder.started(a_run(), PREPARATION),
    "checkpoint": lambda recorder: recorder.checkpoint(a_draft()),
    "event": lambda recorder: (recorder.event("epoch", {"epoch": 1}), recorder.flush()),
    "metrics": lambda recorder: (
        recorder.metrics([MetricPoint("train_loss", 1, 1, 1.0)]),
        recorder.flush(),
    ),
}


@pytest.mark.parametrize("report", REPORTS)
def test_a_recorder_whose_lease_is_lost_cannot_write(database: Database, report: str) -> None:
    a_queued_job(database)
    recorder = a_recorder(database, a_claim(database), started=False)
    a_claim(database, now=NOON + 2 * LEASE)

    with pytest.raises(LeaseLost):
        REPORTS[report](recorder)


def give_back(database: Database, claim: Claim, status: JobStatus) -> JobStatus:
    with database.begin() as session:
        return claims.release(session, claim.lease, status=status, now=NOON)


def order(database: Database, claim: Claim, *actions: JobAction) -> None:
    for action in actions:
        with database.begin() as session:
            jobs.apply_action(session, claim.job_id, action, now=NOON)


@pytest.mark.parametrize(
    ("actions", "status", "becomes"),
    [
        ((), "queued", "queued"),
        (("pause",), "paused", "paused"),
        (("cancel",), "cancelled", "cancelled"),
        (("cancel",), "queued", "cancelled"),  # told while it drained
        (("pause",), "queued", "paused"),
        (("pause", "resume"), "paused", "queued"),  # taken back too late for the child
        (("cancel", "pause"), "paused", "cancelled"),  # a cancel stands
    ],
)
def test_a_job_that_is_given_back_obeys_what_clients_ordered(
    database: Database,
    actions: tuple[JobAction, ...],
    status: JobStatus,
    becomes: JobStatus,
) -> None:
    a_queued_job(database)
    claim = a_claim(database)
    order(database, claim, *actions)

    assert give_back(database, claim, status) == becomes
    with database.read() as session:
        job = jobs.get_job(session, claim.job_id)
    assert job.status == becomes
    assert (job.ended_at is not None) == (becomes == "cancelled")


def test_orders_are_read_for_held_leases_only(database: Database) -> None:
    a_queued_job(database)
    claim = a_claim(database)
    order(database, claim, "pause")

    with database.read() as session:
        assert claims.orders(session, [claim.lease, "lost"]) == {claim.lease: "pause"}


def test_a_child_that_dies_is_tried_again_until_it_died_too_often(database: Database) -> None:
    job = a_queued_job(database)
    statuses: list[JobStatus] = []
    for _ in range(3):
        claim = a_claim(database)
        with database.begin() as session:
            statuses.append(
                claims.record_death(
                    session,
                    claim.lease,
                    code="child_died",
                    message="It was killed by SIGKILL.",
                    max_deaths=3,
                    now=NOON,
                )
            )

    assert statuses == ["queued", "queued", "failed"]
    with database.read() as session:
        error = jobs.get_job(session, job.id).error
    assert error is not None
    assert error.code == "child_died"
    assert "SIGKILL" in error.message


def test_a_checkpoint_forgives_earlier_deaths(database: Database) -> None:
    a_queued_job(database)
    for step in range(5):
        claim = a_claim(database)
        a_recorder(database, claim).checkpoint(a_draft(step=step))
        with database.begin() as session:
            status = claims.record_death(
                session, claim.lease, code="child_died", message="x", max_deaths=2, now=NOON
            )
        assert status == "queued"


def test_a_job_whose_worker_vanishes_again_and_again_fails(database: Database) -> None:
    job = a_queued_job(database)
    now = NOON
    for _ in range(claims.MAX_RECLAIMS + 1):
        assert find_claim(database, now=now) is not None
        now += 2 * LEASE

    with database.read() as session:
        assert claims.has_claimable(session, devices=["cpu"], components=COMPONENTS, now=now)
    assert find_claim(database, now=now) is None
    with database.read() as session:
        failed = jobs.get_job(session, job.id)
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.code == "worker_lost"


@pytest.mark.parametrize(("action", "becomes"), [("cancel", "cancelled"), ("pause", "paused")])
def test_an_order_outlives_the_worker_it_was_for(
    database: Database, action: JobAction, becomes: JobStatus
) -> None:
    a_queued_job(database)
    claim = a_claim(database)
    order(database, claim, action)

    assert find_claim(database, now=NOON + 2 * LEASE) is None
    with database.read() as session:
        job = jobs.get_job(session, claim.job_id)
    assert job.status == becomes
    assert job.error is None


def test_events_of_a_job_count_without_gaps(database: Database) -> None:
    a_queued_job(database)
    claim = a_claim(database)
    a_recorder(database, claim).checkpoint(a_draft(kinds=("best", "latest")))
    order(database, claim, "pause")
    give_back(database, claim, "paused")

    with database.read() as session:
        listed = events.list_events(session, claim.job_id)
        rest = events.list_events(session, claim.job_id, after_seq=4)
        assert session.scalars(sa.select(sa.func.count()).select_from(EventRow)).one() == 6
    assert [event.seq for event in listed] == [1, 2, 3, 4, 5, 6]
    assert [event.type for event in listed] == [
        *("queued", "claimed", "checkpoint", "checkpoint", "pausing", "paused")
    ]
    assert [event.seq for event in rest] == [5, 6]


def test_workers_are_listed_until_they_leave(database: Database) -> None:
    worker = NewWorker(
        id="wrk_1", host="here", pid=1, devices=["cpu"], components=["task:x"], threads=2
    )
    with database.begin() as session:
        claims.register_worker(session, worker, now=NOON)
        assert claims.beat_worker(session, "wrk_1", now=NOON + LEASE, status="draining")
        assert not claims.beat_worker(session, "wrk_2", now=NOON)
        (listed,) = claims.list_workers(session)
    assert (listed.status, listed.heartbeat_at) == ("draining", NOON + LEASE)
    with database.begin() as session:
        claims.remove_worker(session, "wrk_1")
        assert claims.list_workers(session) == []
