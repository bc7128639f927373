"""The database's clock jumps: leases are measured by it, and what it says is all that counts.

What holds: a job has one lease at a time, whatever the clock does, and only its holder can write.
Set back, the clock gives nobody's job away; a heartbeat measures the lease anew. A lease that would
then last longer than any may is void, so that no job waits for more than an hour. Set forward, the
clock ends leases: the next attempt goes on from the newest checkpoint, and the old one can write
nothing.
"""

from datetime import datetime, timedelta

import pytest

from service.domain.jobs import Claim
from service.store import claims, jobs
from service.store.engine import Database
from service.store.errors import LeaseLost
from service.store.expiry import LONGEST_LEASE
from tests.builders import COMPONENTS, LEASE, NOON, a_claim, a_queued_job, find_claim

HOUR = timedelta(hours=1)


def beat(database: Database, claim: Claim, now: datetime) -> None:
    with database.begin() as session:
        claims.heartbeat(session, claim.lease, lease_for=LEASE, now=now)


def claimable(database: Database, now: datetime) -> bool:
    with database.read() as session:
        return claims.has_claimable(session, devices=["cpu"], components=COMPONENTS, now=now)


def test_a_clock_set_back_gives_no_held_job_away(database: Database) -> None:
    a_queued_job(database)
    held = a_claim(database)

    for now in (NOON - HOUR, NOON - HOUR + LEASE / 2, NOON - HOUR + LEASE):
        assert not claimable(database, now)
        assert find_claim(database, now=now) is None
        beat(database, held, now)


def test_a_heartbeat_after_the_clock_was_set_back_measures_the_lease_anew(
    database: Database,
) -> None:
    a_queued_job(database)
    held = a_claim(database)
    beat(database, held, NOON - HOUR)

    assert find_claim(database, now=NOON - HOUR + LEASE) is None
    taken = find_claim(database, now=NOON - HOUR + 2 * LEASE)  # its worker has died: no hour's wait

    assert taken is not None
    assert (taken.job_id, taken.attempt) == (held.job_id, 2)


def test_a_clock_set_forward_again_never_makes_two_holders(database: Database) -> None:
    a_queued_job(database)
    held = a_claim(database)
    beat(database, held, NOON - HOUR)

    taken = a_claim(database, now=NOON)  # by the clock the lease has long expired

    assert find_claim(database, now=NOON) is None
    beat(database, taken, NOON)
    with pytest.raises(LeaseLost):
        beat(database, held, NOON)
    with database.read() as session:
        assert jobs.get_job(session, held.job_id).attempt == 2


@pytest.mark.parametrize("back", [timedelta(days=1), timedelta(days=400)])
def test_a_job_whose_worker_died_waits_for_no_clock_that_was_far_ahead(
    database: Database, back: timedelta
) -> None:
    a_queued_job(database)
    lost = a_claim(database)

    now = NOON - back
    assert claimable(database, now)
    taken = a_claim(database, now=now)

    assert taken.job_id == lost.job_id
    assert not claimable(database, now + LEASE / 2)
    with pytest.raises(LeaseLost):
        beat(database, lost, now)


def test_the_longest_lease_that_may_be_set_is_kept(database: Database) -> None:
    a_queued_job(database)
    held = find_claim(database, lease_for=LONGEST_LEASE)

    assert held is not None
    assert not claimable(database, NOON)
    assert not claimable(database, NOON - timedelta(seconds=30))  # clocks are put right by seconds
