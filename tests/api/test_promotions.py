"""Promotion: any checkpoint that is kept can be served as the next version of a model."""

import pytest

from service.catalogue import Catalogue
from service.domain.jobs import Job
from service.store.engine import Database
from tests.api.workshop import Workshop


@pytest.fixture
def workshop(database: Database, catalogue: Catalogue) -> Workshop:
    return Workshop(database, catalogue)


def promote(workshop: Workshop, name: str, checkpoint: str) -> tuple[int, dict[str, object]]:
    answer = workshop.post(f"/v1/models/{name}/versions", {"checkpoint": checkpoint})
    return answer.status_code, answer.json()


def a_cancelled_job(workshop: Workshop) -> Job:
    workshop.a_job()
    return workshop.train(order="cancel", after_steps=6)


def test_a_checkpoint_of_a_cancelled_job_is_served_and_outlives_it(workshop: Workshop) -> None:
    job = a_cancelled_job(workshop)
    newest = workshop.checkpoints(job)[0]

    answer = workshop.post("/v1/models/점심/versions", {"checkpoint": newest["id"]})
    workshop.delete(f"/v1/jobs/{job.id}")

    version = answer.json()
    assert (answer.status_code, version["model"], version["version"]) == (201, "점심", 1)
    assert answer.headers["Location"] == "/v1/models/%EC%A0%90%EC%8B%AC@1"
    assert workshop.get(answer.headers["Location"])["job"] is None
    assert version["weights_sha256"] == newest["weights_sha256"]
    assert version["metrics"] == newest["metrics"]
    assert job.run is not None
    assert version["parameters"] == job.run.parameters
    assert job.run.baseline is not None
    assert version["baseline"] == job.run.baseline.model_dump()
    assert workshop.post("/v1/models/점심/predict", {"inputs": ["I"]}).status_code == 200


def test_versions_are_counted_with_those_of_jobs(workshop: Workshop) -> None:
    job = workshop.a_trained_job(model="lunch")

    _, promoted = promote(workshop, "lunch", workshop.checkpoints(job)[-1]["id"])
    workshop.a_trained_job(model="lunch")

    assert promoted["version"] == 2
    assert workshop.get("/v1/models/lunch")["versions"] == [3, 2, 1]


def test_a_model_learns_one_task(quick: Workshop) -> None:
    words = quick.a_trained_job(model="lunch")
    images = quick.a_trained_job(
        dataset="digits", architecture="mlp", training={"epochs": None, "max_steps": 1}
    )

    status, problem = promote(quick, "lunch", quick.checkpoints(images)[0]["id"])
    again, _ = promote(quick, "lunch", quick.checkpoints(words)[0]["id"])

    assert (status, problem["code"]) == (409, "model_task_differs")
    assert again == 201
    assert quick.get("/v1/models/lunch")["versions"] == [2, 1]  # no number was lost


def test_what_a_fork_begins_with_is_promoted_as_what_it_was_trained(
    quick: Workshop, job: Job
) -> None:
    forked = quick.accepted(
        f"/v1/jobs/{job.id}/fork",
        {"patch": {"architecture": {"layers": 2}, "training": {"epochs": 9}}},
    )

    _, version = promote(quick, "lunch", quick.checkpoints(forked)[0]["id"])

    assert version["architecture"] == job.spec.architecture.options()
    assert job.run is not None
    assert (version["parameters"], version["baseline"]) == (job.run.parameters, None)


@pytest.mark.parametrize("checkpoint", ["ckpt_1", "job_1", "lunch", ""])
def test_what_is_no_kept_checkpoint_cannot_be_promoted(quick: Workshop, checkpoint: str) -> None:
    status, problem = promote(quick, "lunch", checkpoint)
    assert (status, problem["code"]) == (404, "checkpoint_not_found")


@pytest.mark.parametrize("name", ["job_1", "lunch@2", "_", "x" * 101])
def test_a_model_is_called_by_the_rules_of_names(quick: Workshop, name: str) -> None:
    answer = quick.post(f"/v1/models/{name}/versions", {"checkpoint": "ckpt_1"})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/path/model"]
