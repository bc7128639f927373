"""`lr: "auto"` of POST /v1/jobs: words that are none, and data or trainings too short for a test."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from tests.integration.cases.base import Case
from tests.integration.cases.beginnings import patched
from tests.integration.cases.jobs import job
from tests.integration.cases.optimizers import optimizer

OPTIMIZERS = ("adadelta", "adagrad", "adam", "adamw", "gd", "muon", "rmsprop", "sgd")
WORDS: list[Any] = ["Auto", "AUTO", "auto ", "", "default", "1e-3", "nan", ["auto"], {"auto": True}]


def picking(type_: str, **training: Any) -> dict[str, Any]:
    """Make a body of images, some 1,600, with an lr that is to be picked."""
    return {"dataset": "digits", "architecture": "mlp", "optimizer": {"type": type_, "lr": "auto"}, "training": training}


def too_little(type_: str, **training: Any) -> dict[str, Any]:
    """Make a case of a range test that is too long for data or training."""
    return job("/optimizer/lr", **picking(type_, **training))


def planned(body: dict[str, Any]) -> dict[str, Any]:
    """Make a case of a plan."""
    return {"path": "/v1/jobs?validate_only=true", "body": body}


LEARNING_RATES = [
    *(Case(f"{type_} with lr {value!r}", **optimizer("lr", type_, lr=value)) for type_ in OPTIMIZERS for value in WORDS[:2]),
    *(Case(f"lr {value!r}", **optimizer("lr", "sgd", lr=value)) for value in WORDS[2:]),
    Case("a rate for AdamW within Muon that is to be picked", **optimizer("adamw_lr", "muon", adamw_lr="auto")),
    Case("a weight decay that is to be picked", **optimizer("weight_decay", "sgd", weight_decay="auto")),
    Case("a range test on batches of nearly all data", **too_little("sgd", batch_size=1000)),
    Case("a range test of gd on one batch", **too_little("gd", batch_size=65_536)),
    Case("a range test of gd on few batches", **too_little("gd", batch_size=256)),
    Case("a range test longer than the training", **too_little("adam", max_steps=19)),
    Case("a range test of gd longer than the training", **too_little("gd", epochs=3)),
    Case("a fork of a few steps to a range test", **patched("/optimizer/lr", optimizer={"lr": "auto"}, training={"max_steps": 9})),
    Case("a fork to a range test by a wrong word", **patched("/optimizer/lr", optimizer={"lr": "Auto"})),
]
LEARNING_RATES_TAKEN = [
    *(Case(f"{type_} whose lr is to be picked", 200, None, **planned(picking(type_))) for type_ in OPTIMIZERS),
    Case("a range test as long as the training", 200, None, **planned(picking("adam", max_steps=20))),
]
