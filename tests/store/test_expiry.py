"""Jobs whose worker is gone: whoever comes next puts them right, also who could not run them."""

import sqlalchemy as sa

from service.store import claims, jobs
from service.store.engine import Database
from service.store.tables import JobRow
from tests.builders import COMPONENTS, LEASE, NOON, a_claim, a_queued_job, find_claim

LATER = NOON + 2 * LEASE


def test_a_worker_that_does_not_fit_puts_a_lost_job_back_into_the_queue(
    database: Database,
) -> None:
    job = a_queued_job(database)
    a_claim(database)

    with database.read() as session:
        assert claims.has_claimable(session, devices=["cpu"], components=[], now=LATER)
    assert find_claim(database, components=[], now=LATER) is None

    with database.read() as session:
        assert jobs.get_job(session, job.id).status == "queued"
        assert not claims.has_claimable(session, devices=["cpu"], components=[], now=LATER)
        assert claims.has_claimable(session, devices=["cpu"], components=COMPONENTS, now=LATER)


def test_a_lost_job_can_be_cancelled_where_no_worker_lives(database: Database) -> None:
    job = a_queued_job(database)
    a_claim(database)

    with database.begin() as session:
        cancelled = jobs.apply_action(session, job.id, "cancel", now=LATER)

    assert cancelled is not None
    assert cancelled.status == "cancelled"


def test_a_held_job_is_left_alone(database: Database) -> None:
    job = a_queued_job(database)
    a_claim(database)

    with database.begin() as session:
        told = jobs.apply_action(session, job.id, "cancel", now=NOON + LEASE / 2)

    assert told is not None
    assert told.status == "running"
    assert told.status_reason == "cancelling"


def test_a_spec_that_cannot_be_read_fails_and_holds_up_nobody(database: Database) -> None:
    broken = a_queued_job(database)
    healthy = a_queued_job(database)
    with database.begin() as session:
        spec = {"model": None}
        session.execute(sa.update(JobRow).where(JobRow.id == broken.id).values(spec=spec))

    assert find_claim(database) is None
    claim = a_claim(database)

    assert claim.job_id == healthy.id
    with database.read() as session:
        row = session.get_one(JobRow, broken.id)
        assert row.status == "failed"
        assert row.error is not None
        assert row.error["code"] == "spec_unreadable"
