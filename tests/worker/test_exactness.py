"""A real worker: what it kills and takes up again ends with the same bits, or says what differs."""

import os
import signal
from typing import Any

import pytest
import sqlalchemy as sa

from service.domain.jobs import Job, Series
from service.store import metrics
from service.store.tables import JobComponentRow
from tests.eventually import eventually
from tests.worker.yard import Yard

LARGE = 230  # above 50,000 weights: two threads share the work


def started(yard: Yard, job: Job) -> list[dict[str, Any]]:
    return [event.data for event in yard.events(job) if event.type == "started"]


def series_of(yard: Yard, job: Job) -> dict[str, Series]:
    with yard.database.read() as session:
        found = metrics.get_metrics(session, job.id, names=None, max_points=None).series
    return {name: each for name, each in found.items() if not name.startswith("time/")}


def states_of(yard: Yard, job: Job) -> set[tuple[str, int, str, str]]:
    return {
        (each.kind, each.step, each.weights_sha256, each.state_sha256)
        for each in yard.checkpoints(job)
    }


@pytest.mark.parametrize("hidden_size", [8, pytest.param(LARGE, marks=pytest.mark.slow)])
def test_a_job_whose_process_is_killed_ends_as_one_that_is_left_alone(
    each_yard: Yard, hidden_size: int
) -> None:
    worker = each_yard.start_worker(workers=1)
    killed = each_yard.accept(max_steps=48, hidden_size=hidden_size)
    step = 0
    for attempt in (1, 2):
        step = each_yard.wait_for_checkpoint(killed, after_step=step + 4).step
        running = each_yard.job(killed.id)
        assert running.attempt == attempt
        os.kill(worker.training_process(running), signal.SIGKILL)
    quiet = each_yard.accept(max_steps=48, hidden_size=hidden_size)
    ends = [each_yard.wait_for(job, "succeeded", "failed") for job in (killed, quiet)]

    assert [(end.status, end.attempt) for end in ends] == [("succeeded", 3), ("succeeded", 1)]
    assert states_of(each_yard, killed) == states_of(each_yard, quiet)
    assert series_of(each_yard, killed) == series_of(each_yard, quiet)
    of_both = [each_yard.certificate(job) for job in (killed, quiet)]
    assert of_both[0].sha256 == of_both[1].sha256
    assert [len(each.environments) for each in of_both] == [3, 1]
    assert [each.exact for each in of_both] == [True, True]


def train_on_two_threads(yard: Yard, job: Job) -> None:
    """Bring a job to a checkpoint that was computed with two threads, and kill its worker."""
    worker = yard.start_worker(threads=2, lease_seconds=2)
    yard.wait_for_checkpoint(job)
    worker.process.kill()
    worker.wait()
    eventually(lambda: not worker.pids())


@pytest.mark.slow
def test_a_job_that_must_be_exact_is_left_to_the_worker_that_can(yard: Yard) -> None:
    job = yard.accept(max_steps=48, hidden_size=LARGE, exact="required")
    train_on_two_threads(yard, job)

    yard.start_worker(threads=1)
    yard.wait_for(job, "queued")
    yard.wait_for(yard.accept(max_steps=10), "succeeded")  # it works, and comes past the job
    left = yard.job(job.id)
    yard.start_worker(threads=2)
    ended = yard.wait_for(job, "succeeded", "failed")

    assert (left.status, left.attempt) == ("queued", 1)
    assert (ended.status, ended.attempt) == ("succeeded", 2)
    assert all(event["exact"] for event in started(yard, job))


@pytest.mark.slow
def test_a_worker_that_took_what_it_cannot_do_exactly_gives_it_back(yard: Yard) -> None:
    job = yard.accept(max_steps=48, hidden_size=LARGE, exact="required")
    train_on_two_threads(yard, job)
    with yard.database.begin() as session:  # as an earlier version left it
        machine = JobComponentRow.component.like("threads:%")
        session.execute(sa.delete(JobComponentRow).where(machine))

    yard.start_worker(threads=1)
    eventually(lambda: yard.job(job.id).attempt == 2)
    given_back = yard.wait_for(job, "queued")
    yard.start_worker(threads=2)
    ended = yard.wait_for(job, "succeeded", "failed")

    reasons = [event.data.get("reason") for event in yard.events(job) if event.type == "queued"]
    assert given_back.attempt == 2
    assert reasons[-1] == "must go on exactly, but threads was 2 and is 1"
    assert (ended.status, ended.attempt) == ("succeeded", 3)


@pytest.mark.slow
def test_a_job_that_goes_on_with_fewer_threads_says_so(yard: Yard) -> None:
    job = yard.accept(max_steps=48, hidden_size=LARGE)
    train_on_two_threads(yard, job)

    yard.start_worker(threads=1)
    yard.wait_for(job, "succeeded", "failed")

    first, second = started(yard, job)
    differs = {"threads": {"was": 2, "is": 1}}
    assert (first["exact"], second["exact"], second["differs"]) == (True, False, differs)
    [warning] = [event.data for event in yard.events(job) if event.type == "warning"]
    assert (warning["code"], warning["differs"]) == ("resume_not_exact", differs)
    assert not yard.certificate(job).exact
