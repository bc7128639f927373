"""Optimizers against a step by hand, and their options' bounds."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from service.optimizers.adam import ADAM, ADAMW
from service.optimizers.base import OptimizerKind, parameter_groups
from service.optimizers.gd import GD
from service.optimizers.sgd import SGD

GRADIENT = 0.5


def steps(kind: OptimizerKind[Any], count: int, **options: object) -> float:
    """Take `count` steps from 1 on a matrix whose gradient is always one half."""
    model = nn.Linear(1, 1)
    nn.init.ones_(model.weight)
    config = kind.config.model_validate(options)
    optimizer = kind.build(config, parameter_groups(model, weight_decay=config.weight_decay))
    for _ in range(count):
        model.weight.grad = torch.full((1, 1), GRADIENT)
        optimizer.step()
    return model.weight.item()


def test_gradient_descent_goes_lr_times_gradient_and_wants_all_data() -> None:
    assert GD.full_batch
    assert steps(GD, 2, lr=0.1) == pytest.approx(1 - 2 * 0.1 * GRADIENT)


def test_momentum_keeps_a_part_of_the_last_step() -> None:
    assert steps(SGD, 2, lr=0.1, momentum=0.5) == pytest.approx(1 - 0.05 - (0.05 + 0.025))


def test_nesterov_looks_ahead() -> None:
    moved = steps(SGD, 1, lr=0.1, momentum=0.5, nesterov=True)

    assert moved == pytest.approx(1 - 0.1 * (GRADIENT + 0.5 * GRADIENT))


def test_adam_takes_steps_of_lr_whatever_the_gradient() -> None:
    assert steps(ADAM, 3, lr=0.01) == pytest.approx(1 - 3 * 0.01, abs=1e-6)


def test_the_decay_of_adamw_acts_on_the_weights_themselves() -> None:
    assert steps(ADAMW, 1, lr=0.01, weight_decay=0.5) == pytest.approx(1 * (1 - 0.005) - 0.01)


def test_weight_decay_leaves_biases_and_norms_alone() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))

    decayed, others = parameter_groups(model, weight_decay=0.1)

    assert [parameter.ndim for parameter in decayed["params"]] == [2]
    assert [parameter.ndim for parameter in others["params"]] == [1, 1, 1]
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (GD, {"lr": 0}),
        (SGD, {"lr": -0.1}),
        (SGD, {"lr": float("nan")}),
        (SGD, {"lr": float("inf")}),
        (SGD, {"lr": "0.1"}),
        (SGD, {"lr": True}),
        (SGD, {"momentum": 1}),
        (SGD, {"momentum": 0, "nesterov": True}),
        (ADAM, {"betas": [0.9]}),
        (ADAM, {"betas": [0.9, 1.0]}),
        (ADAMW, {"eps": 0}),
        (ADAMW, {"momentum": 0.9}),
    ],
)
def test_options_out_of_bounds_are_refused(kind: OptimizerKind[Any], options: object) -> None:
    with pytest.raises(ValidationError):
        kind.config.model_validate(options)


def test_adam_makes_the_same_bits_twice() -> None:
    assert steps(ADAMW, 5, lr=0.003).hex() == steps(ADAMW, 5, lr=0.003).hex()
