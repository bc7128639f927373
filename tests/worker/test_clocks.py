"""Workers on machines whose clocks differ by minutes: leases and times are the database's alone."""

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.store.engine import Database, UtcDateTime, database_now
from service.store.tables import Row
from tests.eventually import eventually
from tests.worker.yard import Yard

FUTURE = {"lease_expires_at", "expires_at", "held_until"}
SHIFTED = Path(__file__).parent / "shifted_clock"
AHEAD = timedelta(minutes=10)
LEASE = timedelta(seconds=5)


def clock(ahead: timedelta) -> dict[str, str]:
    """Make the environment of processes whose clock is so much ahead, or behind."""
    seconds = ahead // timedelta(seconds=1)
    return {"PYTHONPATH": str(SHIFTED), "TRAINYARD_TEST_CLOCK_AHEAD_SECONDS": str(seconds)}


def now_of(database: Database) -> datetime:
    with database.read() as session:
        return database_now(session)


def stored_times(database: Database) -> set[datetime]:
    """Read every time of what has happened, in every row."""
    columns = [
        column
        for table in Row.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, UtcDateTime) and column.name not in FUTURE
    ]
    with database.read() as session:
        found = {time for column in columns for time in session.scalars(sa.select(column))}
    return {time for time in found if time is not None}


def test_the_shim_shifts_the_clock_of_a_process() -> None:
    program = "import time, uuid6; print(time.time(), uuid6.uuid7().time)"
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **clock(ahead)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for ahead in (AHEAD, -AHEAD)
    ]
    for early, late in zip(told[1], told[0], strict=True):
        assert float(late) - float(early) > AHEAD.total_seconds()


@pytest.mark.slow
@pytest.mark.parametrize("ahead", [AHEAD, -AHEAD])
def test_no_clock_of_a_worker_gives_a_job_away_or_keeps_it(
    each_yard: Yard, ahead: timedelta
) -> None:
    yard = each_yard
    job = yard.accept()
    holder = yard.start_worker(environment=clock(-ahead), lease_seconds=LEASE.total_seconds())
    yard.wait_for_checkpoint(job)
    yard.start_worker(environment=clock(ahead), lease_seconds=LEASE.total_seconds())
    eventually(lambda: len(yard.worker_statuses()) == 2)
    until = now_of(yard.database) + 2 * LEASE
    eventually(lambda: now_of(yard.database) > until)
    kept = yard.job(job.id)

    holder.process.kill()
    eventually(lambda: yard.job(job.id).attempt == 2)
    reached = max(checkpoint.step for checkpoint in yard.checkpoints(job))
    yard.wait_for_checkpoint(job, after_step=reached)

    assert (kept.status, kept.attempt) == ("running", 1)
    now = now_of(yard.database)
    assert not [time for time in stored_times(yard.database) if abs(time - now) > AHEAD / 2]
