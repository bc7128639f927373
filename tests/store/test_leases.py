"""What a worker says while it holds a job."""

import pytest

from service.store import jobs
from service.store.engine import Database
from service.store.errors import LeaseLost
from service.store.leases import report_reason
from tests.builders import LEASE, NOON, a_claim, a_queued_job


def reason_of(database: Database, job_id: str) -> str | None:
    with database.read() as session:
        found = jobs.find_status(session, job_id)
    assert found is not None
    return found[1]


def test_a_job_says_what_it_is_busy_with_until_it_is_not(database: Database) -> None:
    job = a_queued_job(database)
    lease = a_claim(database).lease

    said: list[str | None] = []
    for reason in ("downloading", None):
        with database.begin() as session:
            report_reason(session, lease, reason, now=NOON)
        said.append(reason_of(database, job.id))

    assert said == ["downloading", None]


@pytest.mark.parametrize("reason", ["downloading", None])
def test_an_order_stays_to_be_read(database: Database, reason: str | None) -> None:
    job = a_queued_job(database)
    lease = a_claim(database).lease
    with database.begin() as session:
        jobs.apply_action(session, job.id, "cancel", now=NOON)
        report_reason(session, lease, reason, now=NOON)

    assert reason_of(database, job.id) == "cancelling"


def test_who_lost_the_lease_says_nothing(database: Database) -> None:
    job = a_queued_job(database)
    lost = a_claim(database).lease
    a_claim(database, now=NOON + 2 * LEASE)

    with pytest.raises(LeaseLost), database.begin() as session:
        report_reason(session, lost, "downloading", now=NOON)

    assert reason_of(database, job.id) is None
