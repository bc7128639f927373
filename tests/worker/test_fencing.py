"""Who was stopped for longer than a lease has lost its job: it comes back and writes nothing."""

import os
import signal
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa

from service.domain.jobs import Job
from service.domain.problems import Problem
from service.store import metrics
from service.store.engine import Database
from service.store.tables import JobRow, Row
from tests.eventually import eventually
from tests.worker.yard import WorkerProcess, Yard

LEASE_SECONDS = 2
STEPS = 500
"""For longer than a lease, so that who is stopped has not come to the end by then."""
Who = Literal["worker", "child", "both"]
MAY_CHANGE = {"uploads", "blob_chunks", "blobs", "workers"}
"""What is no result: bytes that nobody refers to, and the list of who works."""


class Stopped:
    """Processes in the midst of their work, stopped as a machine that hangs stops them."""

    def __init__(self, yard: Yard, worker: WorkerProcess, job: Job, who: Who) -> None:
        self.child = worker.training_process(yard.job(job.id))
        self.pids = {"worker": [worker.process.pid], "child": [self.child]}.get(
            who, [worker.process.pid, self.child]
        )
        eventually(lambda: self._stop(yard.url, job))

    def go_on(self) -> None:
        for pid in self.pids:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGCONT)

    def _stop(self, url: str, job: Job) -> bool:
        """Stop them outside a transaction: within one they would keep all others waiting."""
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)
        impatient = Database.open(url, pool_size=1, wait_for=timedelta(seconds=0.3))
        try:
            with impatient.begin() as session:
                session.execute(sa.select(JobRow.id).where(JobRow.id == job.id).with_for_update())
        except Problem:
            self.go_on()
            return False
        finally:
            impatient.dispose()
        return True


def results(yard: Yard) -> Mapping[str, Sequence[str]]:
    """Read every row of every table that holds results."""
    tables = [table for table in Row.metadata.sorted_tables if table.name not in MAY_CHANGE]
    with yard.database.read() as session:
        return {
            table.name: sorted(map(repr, session.execute(sa.select(table)))) for table in tables
        }


def outcome(yard: Yard, job: Job) -> tuple[object, ...]:
    """Read what must not depend on who trained it: the hashes of its states, and its metrics."""
    states = {(c.kind, c.step, c.weights_sha256, c.state_sha256) for c in yard.checkpoints(job)}
    with yard.database.read() as session:
        stored = metrics.get_metrics(session, job.id, names=None, max_points=None).series
    exact = {name: series for name, series in stored.items() if not name.startswith("time/")}
    return states, exact


def test_who_wakes_up_after_another_ended_its_job_changes_nothing(yard: Yard) -> None:
    stop_and_wake_after_the_end(yard, "both")


@pytest.mark.slow
@pytest.mark.parametrize("who", ["worker", "child", "both"])
def test_nothing_of_the_first_attempt_is_written_after_the_second(
    each_yard: Yard, who: Who
) -> None:
    stop_and_wake_after_the_end(each_yard, who)


def stop_and_wake_after_the_end(yard: Yard, who: Who) -> None:
    job = yard.accept(max_steps=STEPS)
    first = yard.start_worker(lease_seconds=LEASE_SECONDS)
    yard.wait_for_checkpoint(job)
    stopped = Stopped(yard, first, job, who)
    if who == "child":  # while its worker lives, the lease is kept
        first.process.kill()
    yard.start_worker(lease_seconds=LEASE_SECONDS)
    ended = yard.wait_for(job, "succeeded", "failed")
    before = results(yard)

    stopped.go_on()
    eventually(lambda: stopped.child not in first.pids())  # it ends by itself
    if who != "child":
        eventually(lambda: yard.worker_statuses() == ["running", "running"])

    assert results(yard) == before
    assert (ended.status, ended.attempt) == ("succeeded", 2)
    quiet = yard.accept(max_steps=STEPS)
    yard.wait_for(quiet, "succeeded", "failed")
    assert outcome(yard, job) == outcome(yard, quiet)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["worker", "both"])
def test_who_wakes_up_while_another_trains_stops_and_works_on_for_others(
    each_yard: Yard, who: Who
) -> None:
    yard = each_yard
    job = yard.accept(max_steps=2 * STEPS)
    first = yard.start_worker(lease_seconds=LEASE_SECONDS)
    reached = yard.wait_for_checkpoint(job).step
    stopped = Stopped(yard, first, job, who)
    second = yard.start_worker(lease_seconds=LEASE_SECONDS)
    eventually(lambda: yard.job(job.id).attempt == 2)
    yard.wait_for_checkpoint(job, after_step=reached)

    stopped.go_on()
    eventually(lambda: stopped.child not in first.pids())
    ended = yard.wait_for(job, "succeeded", "failed")
    second.process.kill()
    quiet = yard.accept(max_steps=2 * STEPS)
    yard.wait_for(quiet, "succeeded", "failed")

    assert (ended.status, ended.attempt) == ("succeeded", 2)
    assert outcome(yard, job) == outcome(yard, quiet)
    assert "died" not in [event.type for event in yard.events(job)]


@pytest.mark.slow
def test_a_child_that_hangs_keeps_its_job_while_its_worker_lives(each_yard: Yard) -> None:
    yard = each_yard
    job = yard.accept(max_steps=STEPS)
    worker = yard.start_worker(lease_seconds=1)
    yard.wait_for_checkpoint(job)
    stopped = Stopped(yard, worker, job, "child")
    yard.start_worker(lease_seconds=1)
    eventually(lambda: len(yard.worker_statuses()) == 2)
    until = lease_of(yard, job) + timedelta(seconds=2)
    eventually(lambda: lease_of(yard, job) > until)

    stopped.go_on()
    ended = yard.wait_for(job, "succeeded", "failed")

    assert (ended.status, ended.attempt) == ("succeeded", 1)


def lease_of(yard: Yard, job: Job) -> datetime:
    with yard.database.read() as session:
        expires_at = session.get_one(JobRow, job.id).lease_expires_at
    assert expires_at is not None
    return expires_at
