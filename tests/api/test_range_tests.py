"""An lr that is picked, seen from outside: in the job, in its events, in its forks."""

from typing import Any

import pytest

from service.catalogue import Catalogue
from service.domain.jobs import Job
from service.store.engine import Database
from tests.api.workshop import SENTENCES, Workshop

AUTO = {"type": "sgd", "lr": "auto"}
ENOUGH = {"epochs": 3, "batch_size": 4}


@pytest.fixture
def workshop(database: Database, catalogue: Catalogue) -> Workshop:
    return Workshop(database, catalogue)


def told(workshop: Workshop, job: Job) -> list[Any]:
    page = workshop.get(f"/v1/jobs/{job.id}/events?type=range_test")
    return [event["data"] for event in page["data"]]


def picked(job: Job) -> float:
    assert job.picked_lr is not None
    return job.picked_lr


def rates(workshop: Workshop, job: Job) -> set[float]:
    return {*workshop.get(f"/v1/jobs/{job.id}/metrics?name=lr")["series"]["lr"]["value"]}


def last(workshop: Workshop, job: Job) -> tuple[int, str, str]:
    newest = workshop.checkpoints(job)[0]
    return newest["step"], newest["weights_sha256"], newest["state_sha256"]


def test_the_job_keeps_what_was_picked_and_of_which_curve(workshop: Workshop) -> None:
    job = workshop.a_trained_job(optimizer=AUTO, training=ENOUGH)

    [test] = told(workshop, job)
    assert job.spec.optimizer.options()["lr"] == "auto"
    assert job.run is not None
    assert test["lr"] == job.run.lr == picked(job)
    assert len(test["curve"]["lr"]) == len(test["curve"]["loss"]) <= 100
    assert min(test["curve"]["lr"]) < job.run.lr < max(test["curve"]["lr"])
    assert rates(workshop, job) == {job.run.lr}


def test_a_job_that_was_stopped_goes_on_with_what_was_picked(workshop: Workshop) -> None:
    whole = workshop.a_trained_job(optimizer=AUTO, training=ENOUGH)
    workshop.a_job(optimizer=AUTO, training=ENOUGH)
    stopped = workshop.train(after_steps=30)  # of which 20 are of the test
    assert 0 < stopped.progress.step < whole.progress.step
    ended = workshop.train()

    assert picked(ended) == picked(whole)
    assert last(workshop, ended) == last(workshop, whole)
    assert told(workshop, ended) == told(workshop, whole)


def test_a_job_that_was_stopped_within_the_test_begins_anew(quick: Workshop) -> None:
    whole = quick.a_trained_job(optimizer=AUTO, training=ENOUGH)
    job = quick.a_job(optimizer=AUTO, training=ENOUGH)
    stopped = quick.train(after_steps=5)
    assert (stopped.run, quick.checkpoints(job)) == (None, [])
    ended = quick.train()

    assert last(quick, ended) == last(quick, whole)
    assert told(quick, ended) == told(quick, whole)


def test_a_job_that_is_cancelled_within_the_test_is_cancelled(quick: Workshop) -> None:
    quick.a_job(optimizer=AUTO, training=ENOUGH)

    assert quick.train(order="cancel", after_steps=5).status == "cancelled"


def test_a_fork_goes_on_with_the_number(quick: Workshop) -> None:
    plateau = {"type": "plateau", "patience": 1}
    short = quick.a_trained_job(optimizer=AUTO, schedule=plateau, training=ENOUGH)
    longer = {**ENOUGH, "epochs": 5}
    number = {"type": "sgd", "lr": picked(short)}
    long = quick.a_trained_job(optimizer=number, schedule=plateau, training=longer)
    body = {"patch": {"training": {"epochs": 5}}}
    forked = quick.accepted(f"/v1/jobs/{short.id}/fork", body)

    assert forked.spec.optimizer.options()["lr"] == picked(short)
    assert quick.train().status == "succeeded"
    assert last(quick, forked) == last(quick, long)
    assert told(quick, forked) == []


def test_a_fork_may_ask_for_another_test_from_its_checkpoint(quick: Workshop) -> None:
    parent = quick.a_trained_job(training=ENOUGH)
    patch = {"optimizer": {"lr": "auto"}, "training": {"epochs": 5}}
    forked = quick.accepted(f"/v1/jobs/{parent.id}/fork", {"patch": patch})

    ended = quick.train()

    assert (ended.id, ended.status) == (forked.id, "succeeded")
    [test] = told(quick, ended)
    learned = quick.get(f"/v1/jobs/{parent.id}/metrics?name=train_loss")["series"]["train_loss"]
    assert test["curve"]["loss"][0] < learned["value"][0]  # it begins with what was learned
    assert rates(quick, ended) == {picked(ended)}


def test_a_fork_with_a_number_uses_it(quick: Workshop) -> None:
    parent = quick.a_trained_job(optimizer=AUTO, training=ENOUGH)
    patch = {"optimizer": {"lr": 0.25}, "training": {"epochs": 4}}
    quick.accepted(f"/v1/jobs/{parent.id}/fork", {"patch": patch})

    ended = quick.train()

    assert rates(quick, ended) == {0.25}
    assert told(quick, ended) == []


def test_a_job_that_begins_with_weights_is_tested_with_them(quick: Workshop) -> None:
    learned = quick.a_trained_job(model="first", training={**ENOUGH, "epochs": 6})
    quick.add_text("again", SENTENCES[::-1])

    ended = quick.a_trained_job(
        dataset="again", initialize_from="first", optimizer=AUTO, training=ENOUGH
    )

    [test] = told(quick, ended)
    losses = quick.get(f"/v1/jobs/{learned.id}/metrics?name=train_loss")["series"]["train_loss"]
    assert test["curve"]["loss"][0] < losses["value"][0] * 0.9
