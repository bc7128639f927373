"""`initialize_from`: a job begins with a model's weights, with new data, optimizer and counters."""

from typing import Any

import pytest
from safetensors.torch import load

from service.catalogue import Catalogue
from service.domain.jobs import Job
from service.store import blobs, events
from service.store.engine import Database
from tests.api.workshop import RNN, SENTENCES, Workshop

COLD: dict[str, Any] = {"optimizer": {"type": "sgd", "lr": 1e-30}}
"""So that weights stay as they began."""


@pytest.fixture
def workshop(database: Database, catalogue: Catalogue) -> Workshop:
    return Workshop(database, catalogue)


@pytest.fixture
def source(job: Job) -> Job:
    """Whose weights others begin with."""
    return job


def refused(workshop: Workshop, reference: str, **fields: Any) -> str:
    body = {"dataset": "kitchen", "architecture": RNN, "initialize_from": reference, **fields}
    answer = workshop.post("/v1/jobs", body)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/initialize_from"
    return error["detail"]


def told(workshop: Workshop, job: Job) -> dict[str, Any]:
    with workshop.database.read() as session:
        seen = events.list_events(session, job.id)
    found: list[Any] = [each.data for each in seen if each.type == "warning"]
    return next(data for data in found if data["code"] == "initialized_from")


def weights_of(workshop: Workshop, job: Job) -> dict[str, Any]:
    newest = workshop.checkpoints(job)[0]
    return load(blobs.read(workshop.database, newest["weights_sha256"]))


def test_a_job_begins_with_the_weights_of_a_model_whose_job_may_be_deleted(
    workshop: Workshop,
) -> None:
    source = workshop.a_trained_job()
    expected = weights_of(workshop, source)

    job = workshop.a_job(initialize_from=source.id, **COLD)
    workshop.delete(f"/v1/jobs/{source.id}")
    ended = workshop.train()

    assert ended.status == "succeeded", ended.error
    assert ended.progress.step == source.progress.step  # counters are new
    begun = job.spec.initialize_from
    assert begun is not None
    assert (begun.model, begun.checkpoint is None) == (source.id, False)
    for name, tensor in weights_of(workshop, ended).items():
        assert tensor.equal(expected[name]), name
    assert told(workshop, job)["names"]["fresh"] == 0


def test_words_that_both_know_take_over_their_rows(quick: Workshop, source: Job) -> None:
    lines = [line.replace("rice", "tofu").replace("you", "she") for line in SENTENCES]
    quick.add_text("other", [*lines, *lines[:7]])

    job = quick.a_job(dataset="other", initialize_from=source.id, **COLD)
    quick.train()

    old, new = weights_of(quick, source), weights_of(quick, job)
    old_words, new_words = (quick.names_of(each) for each in (source, job))
    both = [word for word in new_words if word in old_words]
    for word in both:
        before, after = old_words.index(word), new_words.index(word)
        assert new["W_yx"][after].equal(old["W_yx"][before])
        assert new["layers.0.W_xu"][:, after].equal(old["layers.0.W_xu"][:, before])
    assert new["layers.0.W_xx"].equal(old["layers.0.W_xx"])
    assert old_words != new_words
    counts = told(quick, job)["names"]
    assert counts == {"taken_over": len(both), "fresh": 2, "forgotten": 2}


def test_a_job_that_was_drained_goes_on_from_its_own_checkpoint(
    quick: Workshop, source: Job
) -> None:
    whole = quick.a_trained_job(initialize_from=source.id)

    job = quick.a_job(initialize_from=source.id)
    quick.train(order="drain", after_steps=3)
    quick.train()

    assert quick.checkpoints(job)[0]["state_sha256"] == quick.checkpoints(whole)[0]["state_sha256"]


def test_a_model_is_named_in_every_form(quick: Workshop) -> None:
    source = quick.a_trained_job(model="lunch")
    checkpoint = quick.checkpoints(source)[0]["id"]
    assert source.result is not None

    for reference in ("lunch", "lunch@1", source.result.model_id, f"{source.id}@best", checkpoint):
        begun = quick.a_job(initialize_from=reference).spec.initialize_from
        assert begun is not None
        assert begun.model == reference


def test_what_is_no_model_is_answered_like_a_dataset_that_is_none(quick: Workshop) -> None:
    quick.a_trained_job(model="lunch")
    body = {"dataset": "kitchen", "architecture": RNN, "initialize_from": "lunhc"}

    answer = quick.post("/v1/jobs", body)

    assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")
    assert "did you mean 'lunch'" in answer.json()["detail"]


def test_the_architecture_must_be_the_models_own(quick: Workshop, source: Job) -> None:
    larger = refused(quick, source.id, architecture={**RNN, "hidden_size": 9, "dropout": 0.1})
    bare = refused(quick, source.id, architecture="rnn")

    assert "the model has hidden_size 8; give the same" in larger
    assert '"hidden_size":8' in bare
    options = {**RNN, "dropout": 0.1}
    assert quick.a_job(initialize_from=source.id, architecture=options).status == "queued"


def test_the_task_and_what_the_weights_depend_on_must_be_the_same(
    quick: Workshop, source: Job
) -> None:
    images = {"dataset": "digits", "architecture": "mlp"}
    other = quick.a_trained_job(**images, training={"epochs": None, "max_steps": 1})

    task = refused(quick, source.id, **images)
    size = refused(quick, other.id, dataset="fashion-mnist-mini", architecture="mlp")

    assert "is a model of next_word, and this job is of image_classification" in task
    assert "height 8, width 8" in size


def test_a_fork_begins_with_its_checkpoint_alone(quick: Workshop, source: Job) -> None:
    body = {"patch": {"initialize_from": source.id, "training": {"epochs": 9}}}

    answer = quick.post(f"/v1/jobs/{source.id}/fork", body)

    assert [each["pointer"] for each in answer.json()["errors"]] == ["/patch/initialize_from"]


def test_a_fork_of_what_a_job_was_given_keeps_its_weights_alone(
    quick: Workshop, source: Job
) -> None:
    job = quick.a_job(initialize_from=source.id, **COLD)

    forked = quick.accepted(f"/v1/jobs/{job.id}/fork", {"patch": {"priority": 9}})

    assert quick.train().status == "succeeded"
    assert forked.spec.continues_from is not None
    assert forked.spec.continues_from.keeps == ["weights"]
    expected = weights_of(quick, source)
    assert all(each.equal(expected[name]) for name, each in weights_of(quick, forked).items())
