"""Findings over HTTP: told once, read by type, and each with a patch that a fork takes as it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from service.catalogue import Catalogue
from service.domain.findings import FINDING_CODES
from service.domain.jobs import Job
from service.store.engine import Database
from service.training.course import Symptom
from service.training.treatments import treat
from tests.api.workshop import SGD, Workshop

ROWS = 400
NOISE = [f"noise {number}" for number in range(12)]


@pytest.fixture
def workshop(database: Database, catalogue: Catalogue) -> Workshop:
    return Workshop(database, catalogue)


def findings(workshop: Workshop, job: Job) -> list[dict[str, Any]]:
    events = workshop.get(f"/v1/jobs/{job.id}/events?type=finding&limit=100")["data"]
    return [event["data"] for event in events]


def an_ill_job(workshop: Workshop, **fields: Any) -> Job:
    job = workshop.a_job(**fields)
    ended = workshop.train()
    assert ended.id == job.id
    return ended


def digits(*sizes: int, activation: str = "relu", **training: Any) -> dict[str, Any]:
    architecture = {"type": "mlp", "hidden_sizes": sizes or (8,), "activation": activation}
    return {
        "dataset": {"name": "digits", "validation_fraction": 0.2},
        "architecture": architecture,
        "training": {"epochs": 3, "batch_size": 64, "seed": 0, **training},
    }


def add_rows(workshop: Workshop) -> None:
    """Upload rows: `x` tells whether a kind is `a`, but not `b` from `c`; nothing tells a toss."""
    random = np.random.default_rng(0)
    numbers, rare = random.normal(size=(ROWS, 1 + len(NOISE))), random.random(ROWS)
    rows = [
        {
            **dict(zip(["x", *NOISE], map(float, row), strict=True)),
            "kind": "a" if row[0] > 0 else "c" if rare[number] < 0.25 else "b",
            "toss": "heads" if rare[number] < 0.5 else "tails",
        }
        for number, row in enumerate(numbers)
    ]
    body = {"name": "rows", "type": "table", "target": "kind", "rows": rows}
    assert workshop.post("/v1/datasets", body).status_code == 201


def rows(target: str, features: list[str], **training: Any) -> dict[str, Any]:
    return {
        "dataset": {"name": "rows", "target": target, "features": features},
        "architecture": {"type": "mlp", "hidden_sizes": [64, 64]},
        "training": {"batch_size": 32, "seed": 0, **training},
    }


ILL: dict[str, tuple[dict[str, Any], list[str]]] = {
    "diverging": ({"optimizer": {**SGD, "lr": 20.0}}, ["lr_too_large"]),
    "crawling": (
        {**digits(), "optimizer": {"type": "sgd", "lr": 1e-6, "momentum": 0.0}},
        ["lr_too_small"],
    ),
    "stuck": (
        digits(*[16] * 12, activation="sigmoid"),
        ["vanishing_gradients", "stuck_at_baseline"],
    ),
    "too short": (
        {**digits(epochs=8), "optimizer": {"type": "gd", "lr": 0.5}},
        ["still_improving"],
    ),
    "by heart": (
        {**rows("toss", NOISE, epochs=10), "optimizer": {"type": "adamw", "lr": 0.01}},
        ["overfitting"],
    ),
    "one class short": (rows("kind", ["x"], epochs=5), ["class_never_predicted"]),
}


def test_a_finding_is_read_by_its_type_and_its_patch_forks_the_job(workshop: Workshop) -> None:
    examine_and_fork(workshop, "crawling")


@pytest.mark.parametrize("name", sorted(ILL.keys() - {"crawling"}))
def test_so_it_is_with_other_illnesses(quick: Workshop, name: str) -> None:
    examine_and_fork(quick, name)


def examine_and_fork(workshop: Workshop, name: str) -> None:
    request, codes = ILL[name]
    if request.get("dataset", {}).get("name") == "rows":
        add_rows(workshop)
    job = an_ill_job(workshop, **request)

    found = findings(workshop, job)

    assert [each["code"] for each in found] == codes
    for each in found:
        forked = workshop.accepted(f"/v1/jobs/{job.id}/fork", {"patch": each["patch"]})
        assert forked.parent_job == job.id
        assert workshop.train().status == "succeeded"


def test_a_loss_that_is_not_finite_is_found_once_together_with_the_failure(
    workshop: Workshop,
) -> None:
    job = an_ill_job(
        workshop, optimizer={**SGD, "lr": 1000.0, "weight_decay": 100.0}, training={"batch_size": 4}
    )
    assert job.status == "failed"
    workshop.post(f"/v1/jobs/{job.id}/retry")
    workshop.train()

    types = [each["type"] for each in workshop.get(f"/v1/jobs/{job.id}/events?limit=100")["data"]]

    [found] = findings(workshop, job)
    assert found["code"] == "lr_too_large"
    assert found["patch"] is None  # no checkpoint was written: nothing can be forked
    assert types.count("failed") == 2
    assert types[types.index("failed") - 1] == "finding"


JOBS: dict[str, dict[str, Any]] = {
    "rnn": {},
    "rnn of sigmoids": {"architecture": {"type": "rnn", "activation": "sigmoid"}},
    "lstm": {"architecture": {"type": "lstm", "hidden_size": 8}, "optimizer": "adamw"},
    "gru": {"architecture": {"type": "gru", "hidden_size": 8, "dropout": 0.5}},
    "transformer": {
        "architecture": {"type": "transformer", "layers": 1, "heads": 2, "width": 16},
        "optimizer": "muon",
    },
    "transformer of gelu": {
        "architecture": {"type": "transformer", "layers": 1, "width": 16, "mlp": "gelu"},
        "training": {"epochs": None, "max_steps": 3, "gradient_clip": 1.0},
    },
    "mlp of steps": digits(activation="step", epochs=1),
    "mlp, lr to be picked": {**digits(epochs=1), "optimizer": {"type": "sgd", "lr": "auto"}},
    "mlp of tanh, stopped early": digits(
        activation="tanh", epochs=1, early_stopping={"patience": 1}
    ),
    "cnn": {
        **digits(epochs=1),
        "architecture": {"type": "cnn", "stem_channels": 4, "blocks": [{"channels": 4}]},
    },
}


@pytest.mark.parametrize("name", JOBS)
def test_what_is_tried_against_any_illness_is_a_fork_of_any_job(quick: Workshop, name: str) -> None:
    job = quick.a_trained_job(**JOBS[name])
    for code in FINDING_CODES:
        symptom = Symptom(code, "", {"update_ratio": 1e-6})
        treatment = treat(symptom, job.spec, base_lr=0.1)
        assert treatment.advice.startswith(("try ", "find "))
        if treatment.patch is not None:
            forked = quick.accepted(f"/v1/jobs/{job.id}/fork", {"patch": treatment.patch})
            assert differs(forked, job), (code, treatment)


def differs(fork: Job, job: Job) -> bool:
    """Tell whether something other than the length is changed, or the length is greater."""
    ours, theirs = (plain(each) for each in (fork, job))
    return ours != theirs


def plain(job: Job) -> Mapping[str, Any]:
    return job.spec.model_dump(mode="json", exclude={"continues_from"})
