"""However a worker ends, nothing of it stays, and no job is lost or stuck."""

import os
import signal

from tests.eventually import eventually
from tests.worker.yard import Yard


def test_nothing_is_left_of_a_worker_that_is_killed_and_another_goes_on(each_yard: Yard) -> None:
    job = each_yard.accept(max_steps=200)
    killed = each_yard.start_worker(lease_seconds=2)
    checkpoint = each_yard.wait_for_checkpoint(job)

    killed.process.kill()
    killed.wait()
    eventually(lambda: not killed.pids())
    each_yard.start_worker()
    ended = each_yard.wait_for(job, "succeeded", "failed")

    assert (ended.status, ended.attempt, ended.progress.step) == ("succeeded", 2, 200)
    assert checkpoint.step < 200


def test_sigterm_to_the_group_drains_and_a_later_worker_finishes(each_yard: Yard) -> None:
    job = each_yard.accept(max_steps=200)
    drained = each_yard.start_worker()
    each_yard.wait_for_checkpoint(job)

    drained.signal_group(signal.SIGTERM)
    code = drained.wait()
    queued, reached = each_yard.job(job.id), each_yard.checkpoints(job)
    eventually(lambda: not drained.pids())
    registered = each_yard.worker_statuses()
    each_yard.start_worker()
    ended = each_yard.wait_for(job, "succeeded", "failed")

    assert (code, queued.status, registered) == (0, "queued", [])
    assert max(checkpoint.step for checkpoint in reached) == queued.progress.step
    assert (ended.status, ended.attempt) == ("succeeded", 2)
    assert not [event for event in each_yard.events(job) if event.type == "died"]


def test_ctrl_c_drains_too(yard: Yard) -> None:
    job = yard.accept()
    worker = yard.start_worker()
    yard.wait_for_checkpoint(job)

    worker.signal_group(signal.SIGINT)

    assert (worker.wait(), yard.job(job.id).status) == (0, "queued")


def test_an_order_that_was_given_wins_over_the_drain(yard: Yard) -> None:
    job = yard.accept()
    worker = yard.start_worker()
    yard.wait_for_checkpoint(job)

    yard.act(job, "cancel")
    worker.signal_group(signal.SIGTERM)

    assert (worker.wait(), yard.job(job.id).status) == (0, "cancelled")


def test_a_second_sigterm_ends_at_once_and_the_jobs_are_queued_again(yard: Yard) -> None:
    job = yard.accept(hidden_size=4096)
    worker = yard.start_worker()

    # A process that is stopped cannot obey: only the second signal gets rid of it. It is stopped
    # while it builds the large model; in a transaction it would lock the database.
    os.kill(worker.training_process(yard.wait_for(job, "running")), signal.SIGSTOP)
    worker.process.send_signal(signal.SIGTERM)
    eventually(lambda: "draining" in yard.worker_statuses())
    worker.process.send_signal(signal.SIGTERM)

    assert (worker.wait(), yard.job(job.id).status) == (0, "queued")
    eventually(lambda: not worker.pids())


def test_a_worker_that_is_stopped_while_it_starts_ends(yard: Yard) -> None:
    worker = yard.start_worker()
    worker.forkserver()

    worker.signal_group(signal.SIGTERM)

    assert worker.wait() == 0
    eventually(lambda: not worker.pids())
