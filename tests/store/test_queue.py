"""The queue as clients see it: places, reasons and estimates, found out at each read."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from service.domain.jobs import Job, Progress
from service.domain.queue import NO_WORKER
from service.domain.workers import NewWorker, WorkerStatus
from service.store import claims, jobs, metrics, needs
from service.store.engine import Database, database_now
from service.store.jobs import JobFilters
from tests.builders import (
    BASELINE,
    COMPONENTS,
    LEASE,
    NOON,
    a_claim,
    a_dataset,
    a_draft,
    a_queued_job,
    a_recorder,
    a_spec,
    find_claim,
)

STALE = timedelta(minutes=1)


def a_worker(
    database: Database,
    *,
    worker_id: str = "wrk_1",
    devices: Sequence[str] = ("cpu",),
    components: Sequence[str] = COMPONENTS,
    places: int = 1,
    silent_for: timedelta = timedelta(0),
    status: WorkerStatus = "running",
) -> None:
    worker = NewWorker(
        id=worker_id,
        host="here",
        pid=1,
        devices=[*devices],
        components=[*components],
        threads=2,
        places=places,
    )
    with database.begin() as session:
        heard_of = database_now(session) - silent_for
        claims.register_worker(session, worker, now=heard_of)
        claims.beat_worker(session, worker_id, now=heard_of, status=status)


def read(database: Database, job: Job) -> Job:
    with database.read() as session:
        return jobs.get_job(session, job.id)


def now_of(database: Database) -> datetime:
    with database.read() as session:
        return database_now(session)


def test_places_are_those_in_which_jobs_are_claimed(database: Database) -> None:
    spec = a_spec(a_dataset(database))
    choose = random.Random(7)
    for _ in range(30):
        a_queued_job(database, spec=spec, priority=choose.choice([-100, 0, 0, 0, 7, 100]))
    with database.read() as session:
        listed = jobs.list_jobs(session, filters=JobFilters(), limit=100).data
        some = jobs.list_jobs(session, filters=JobFilters(), limit=7).data
    places = {job.id: job.queue_position for job in listed}

    claimed = [a_claim(database).job_id for _ in range(30)]

    assert [places[job_id] for job_id in claimed] == list(range(1, 31))
    assert all(job.queue_position == places[job.id] for job in some)


def test_a_running_job_has_no_place_and_those_behind_it_move_up(database: Database) -> None:
    first, second = a_queued_job(database), a_queued_job(database)
    a_claim(database)
    assert [read(database, job).queue_position for job in (first, second)] == [None, 1]


@pytest.mark.parametrize(("silent_for", "status"), [(STALE, "running"), (timedelta(0), "draining")])
def test_a_worker_that_is_silent_or_drains_takes_no_job(
    database: Database, silent_for: timedelta, status: WorkerStatus
) -> None:
    job = a_queued_job(database)
    a_worker(database, silent_for=silent_for, status=status)
    waits = read(database, job)
    assert (waits.status_reason, waits.estimated_start_at) == (NO_WORKER, None)


def test_what_a_job_waits_for_is_told_until_a_worker_has_it(database: Database) -> None:
    job = a_queued_job(database, spec=a_spec(a_dataset(database), device="cuda"))
    with database.begin() as session:
        needs.require(session, job.id, ["threads:4"])
    a_worker(database)
    lacking = read(database, job).status_reason
    a_worker(database, worker_id="wrk_2", devices=["cuda"], components=[*COMPONENTS, "threads:4"])

    assert lacking == "waits for a worker with device cuda and 4 threads"
    assert read(database, job).status_reason is None


def test_why_a_job_was_given_back_is_told_beside_what_it_waits_for(database: Database) -> None:
    job = a_queued_job(database)
    claim = a_claim(database)
    with database.begin() as session:
        claims.release(session, claim.lease, status="queued", reason="it died", now=NOON)
    alone = read(database, job).status_reason
    a_worker(database)

    assert alone == f"{NO_WORKER}; it died"
    assert read(database, job).status_reason == "it died"


def test_a_job_whose_worker_is_gone_says_so_while_no_other_runs(database: Database) -> None:
    job = a_queued_job(database)
    a_claim(database)  # long ago
    lost = read(database, job)
    a_worker(database)

    assert (lost.status, lost.status_reason) == (
        "running",
        "its worker is gone and no other is running",
    )
    assert read(database, job).status_reason is None


def test_a_job_begins_when_those_ahead_are_done(database: Database) -> None:
    a_past_job(database, seconds=300.0, epochs=3)
    running, second, third = (a_queued_job(database) for _ in range(3))
    a_worker(database)
    now = now_of(database)
    claim = find_claim(database, lease_for=LEASE, now=now)
    assert claim is not None
    with database.begin() as session:
        progress = Progress(epoch=1, epochs=3, eta_seconds=600.0)
        metrics.report_progress(session, claim.lease, progress, trained_seconds=1.0, now=now)

    starts = [read(database, job).estimated_start_at for job in (running, second, third)]

    assert starts[0] is None
    assert [minutes_after(now, start) for start in starts[1:]] == [10, 15]


def test_a_job_that_nobody_can_estimate_has_no_start(database: Database) -> None:
    unlike, behind = a_queued_job(database), a_queued_job(database)
    a_worker(database)
    assert read(database, unlike).estimated_start_at is not None
    assert read(database, behind).estimated_start_at is None


def test_two_places_take_two_jobs_at_once(database: Database) -> None:
    a_past_job(database, seconds=300.0, epochs=3)
    queue = [a_queued_job(database) for _ in range(4)]
    a_worker(database, places=2)
    with database.read() as session:
        listed = jobs.list_jobs(session, filters=JobFilters(status="queued")).data
    starts = {job.id: job.estimated_start_at for job in listed}
    first = starts[queue[0].id]

    assert first is not None
    assert [minutes_after(first, starts[job.id]) for job in queue] == [0, 0, 5, 5]


def a_past_job(database: Database, *, seconds: float, epochs: int) -> None:
    """Run a job that took so long."""
    a_queued_job(database)
    claim = a_claim(database)
    recorder = a_recorder(database, claim)
    recorder.checkpoint(a_draft(kinds=("best", "latest")))
    with database.begin() as session:
        done = Progress(epoch=epochs, epochs=epochs, step=10, steps=10, percent=100.0)
        metrics.report_progress(session, claim.lease, done, trained_seconds=seconds, now=NOON)
        claims.succeed(session, claim.lease, baseline=BASELINE, now=NOON)


def minutes_after(now: datetime, moment: datetime | None) -> int:
    """Count whole minutes: estimates are rounded up by less than one."""
    assert moment is not None
    return (moment - now) // timedelta(minutes=1)
