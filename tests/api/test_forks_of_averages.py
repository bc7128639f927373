"""Forks of jobs that serve an average of their weights."""

from typing import Any

import pytest

from service.domain.jobs import Job
from tests.api.workshop import RNN, Workshop

EMA: dict[str, Any] = {"ema": {"decay": 0.9}}


def forked(quick: Workshop, job: Job, **patch: Any) -> Job:
    """Fork a job and train the fork to its end."""
    quick.accepted(f"/v1/jobs/{job.id}/fork", {"patch": patch})
    return quick.train()


def newest(quick: Workshop, job: Job) -> dict[str, Any]:
    names = ("step", "weights_sha256", "state_sha256")
    return {name: quick.checkpoints(job)[0][name] for name in names}


def test_a_longer_run_goes_on_with_the_weights_and_their_average(quick: Workshop) -> None:
    short, whole = (quick.a_trained_job(training={"epochs": n, **EMA}) for n in (2, 4))

    fork = forked(quick, short, training={"epochs": 4})

    assert newest(quick, fork) == newest(quick, whole)


def test_a_drained_job_goes_on_with_both(quick: Workshop) -> None:
    whole = quick.a_trained_job(training=EMA)
    job = quick.a_job(training=EMA)
    assert quick.train(order="drain", after_steps=3).status == "queued"

    quick.train()

    assert newest(quick, job) == newest(quick, whole)


def test_without_an_average_a_fork_begins_with_the_one_that_was_served(quick: Workshop) -> None:
    job = quick.a_trained_job(training=EMA)
    still = {"lr": 1e-30, "momentum": 0.0}

    fork = forked(quick, job, optimizer=still, training={"epochs": 3, "ema": None})

    assert fork.spec.training.ema is None
    assert newest(quick, fork)["weights_sha256"] == newest(quick, job)["weights_sha256"]


@pytest.mark.parametrize("patch", [{"batch_size": 8}, {"epochs": 3}])
def test_an_average_may_begin_with_a_fork(quick: Workshop, job: Job, patch: dict[str, int]) -> None:
    fork = forked(quick, job, training={**EMA, **patch})

    assert fork.status == "succeeded"
    assert newest(quick, fork)["weights_sha256"] != newest(quick, job)["weights_sha256"]


def test_an_average_is_what_another_job_begins_with(quick: Workshop) -> None:
    job = quick.a_trained_job(training=EMA)
    still = {"type": "sgd", "lr": 1e-30, "momentum": 0.0}

    begun = quick.a_trained_job(architecture=RNN, optimizer=still, initialize_from=job.id)

    served = next(each for each in quick.checkpoints(job) if each["kind"] == "best")
    assert newest(quick, begun)["weights_sha256"] == served["weights_sha256"]
