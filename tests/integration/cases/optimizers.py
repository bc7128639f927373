"""Wrong optimizers, schedules, label smoothing and averages of POST /v1/jobs."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from tests.integration.cases.base import Case
from tests.integration.cases.beginnings import patched
from tests.integration.cases.jobs import job


def optimizer(pointer: str, type_: str, **options: Any) -> dict[str, Any]:
    return job(f"/optimizer/{pointer}".rstrip("/"), optimizer={"type": type_, **options})


def schedule(pointer: str, type_: str, **options: Any) -> dict[str, Any]:
    return job(f"/schedule/{pointer}", schedule={"type": type_, **options})


def training(pointer: str, **options: Any) -> dict[str, Any]:
    return job(f"/training/{pointer}", training=options)


LR: list[Any] = [0, -0.1, "0.1", True, None, 1e300]
WRONG_OPTIONS: dict[tuple[str, str], list[Any]] = {
    ("adagrad", "eps"): [0, "1e-8", 2],
    ("rmsprop", "alpha"): [1, -0.1, None],
    ("rmsprop", "momentum"): [1, -1],
    ("rmsprop", "centered"): [True],
    ("adadelta", "rho"): [1, -0.5, []],
    ("muon", "adamw_lr"): LR,
    ("muon", "momentum"): [1, "0.95"],
    ("muon", "betas"): [0.9, None],
    ("muon", "betas/1"): [1, "0.95"],
    ("muon", "weight_decay"): [-1, 101],
}
WRONG_SCHEDULES: dict[tuple[str, str], list[Any]] = {
    ("exponential", "final_factor"): [0, 1.5, None],
    ("exponential", "warmup_steps"): [-1, 1.5, 10**9],
    ("linear", "flat"): [-0.1, 1.1, "0.5"],
    ("linear", "final_factor"): [-0.1, 2],
    ("step", "warmup_steps"): [-1, True],
    ("plateau", "factor"): [0, 1, -1, "0.5"],
    ("plateau", "patience"): [0, 1.5, None],
    ("plateau", "metric"): [3, None, "", "val_mae"],
}
WRONG_TRAINING: dict[str, list[Any]] = {
    "label_smoothing": [1, -0.1, "0.1", True, None],
    "ema": [0.999, "yes", True, []],
    "ema/decay": [0, 1, 1.5, -0.5, "0.9", None],
}

OPTIMIZERS = [
    *(Case(f"{type_} with lr {value!r}", **optimizer("lr", type_, lr=value)) for type_ in ("adagrad", "rmsprop", "adadelta", "muon") for value in LR),
    *(Case(f"{type_} with {name} {value!r}", **optimizer(name, type_, **({name: value} if "/" not in name else {"betas": [0.9, value]}))) for (type_, name), values in WRONG_OPTIONS.items() for value in values),
    *(Case(f"{type_} with {name} {value!r}", **schedule(name, type_, **{name: value})) for (type_, name), values in WRONG_SCHEDULES.items() for value in values),
    *(Case(f"{name} {value!r}", **training(name, **({name: value} if "/" not in name else {"ema": {"decay": value}}))) for name, values in WRONG_TRAINING.items() for value in values),
    Case("nesterov without momentum", **optimizer("", "sgd", momentum=0, nesterov=True)),
    Case("nesterov that is a word", **optimizer("nesterov", "sgd", nesterov="yes")),
    Case("nesterov with rmsprop", **optimizer("nesterov", "rmsprop", nesterov=True)),
    Case("betas with adadelta", **optimizer("betas", "adadelta", betas=[0.9, 0.99])),
    Case("a learning rate for AdamW without Muon", **optimizer("adamw_lr", "adamw", adamw_lr=0.1)),
    Case("a gamma with exponential", **schedule("gamma", "exponential", gamma=0.9)),
    Case("an average without a known option", **training("ema/decai", ema={"decai": 0.9})),
    Case("labels smoothed of numbers", **job("/training/label_smoothing", dataset="solar", architecture="mlp", training={"label_smoothing": 0.1})),
    Case("a plateau of a metric that the task lacks", **job("/schedule/metric", dataset="digits", architecture="mlp", schedule={"type": "plateau", "metric": "val_perplexity"})),
    Case("a fork to an average that never moves", **patched("/training/ema/decay", training={"ema": {"decay": 1}})),
    Case("a fork to a plateau of no metric", **patched("/schedule/metric", schedule={"type": "plateau", "metric": "val_mae"})),
]
