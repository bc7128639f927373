"""Adagrad, RMSprop and Adadelta: two steps of each against the formula of its paper."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from service.optimizers.adadelta import ADADELTA
from service.optimizers.adagrad import ADAGRAD
from service.optimizers.base import OptimizerKind, parameter_groups
from service.optimizers.rmsprop import RMSPROP

FIRST = torch.tensor([[1.0, -2.0, 0.5]])
GRADIENTS = [torch.tensor([[0.5, -1.0, 0.0]]), torch.tensor([[0.25, 2.0, -0.125]])]


def trained(kind: OptimizerKind[Any], **options: object) -> Tensor:
    """Take a step from FIRST with each of GRADIENTS."""
    model = nn.Linear(3, 1, bias=False)
    model.weight.data = FIRST.clone()
    config = kind.config.model_validate(options)
    optimizer = kind.build(config, parameter_groups(model, weight_decay=config.weight_decay))
    for gradient in GRADIENTS:
        model.weight.grad = gradient.clone()
        optimizer.step()
    return model.weight.detach()


def by_hand(step: Iterator[Tensor]) -> Tensor:
    """Go the steps that a formula gives."""
    return FIRST - sum(step, start=torch.zeros(()))


def test_adagrad_divides_by_the_root_of_all_squares_so_far() -> None:
    def steps() -> Iterator[Tensor]:
        total = torch.zeros(3)
        for gradient in GRADIENTS:
            total = total + gradient**2
            yield 0.1 * gradient / (total.sqrt() + 1e-6)

    torch.testing.assert_close(trained(ADAGRAD, lr=0.1, eps=1e-6), by_hand(steps()))


def test_rmsprop_divides_by_the_root_of_a_running_mean() -> None:
    def steps() -> Iterator[Tensor]:
        square, moved = torch.zeros(3), torch.zeros(3)
        for gradient in GRADIENTS:
            square = 0.9 * square + 0.1 * gradient**2
            moved = 0.5 * moved + gradient / (square.sqrt() + 1e-3)
            yield 0.1 * moved

    ours = trained(RMSPROP, lr=0.1, alpha=0.9, eps=1e-3, momentum=0.5)
    torch.testing.assert_close(ours, by_hand(steps()))


def test_adadelta_steps_as_long_as_its_last_steps() -> None:
    def steps() -> Iterator[Tensor]:
        square, moved = torch.zeros(3), torch.zeros(3)
        for gradient in GRADIENTS:
            square = 0.8 * square + 0.2 * gradient**2
            delta = gradient * (moved + 1e-4).sqrt() / (square + 1e-4).sqrt()
            moved = 0.8 * moved + 0.2 * delta**2
            yield 0.5 * delta

    torch.testing.assert_close(trained(ADADELTA, lr=0.5, rho=0.8, eps=1e-4), by_hand(steps()))


@pytest.mark.parametrize("kind", [ADAGRAD, RMSPROP, ADADELTA])
def test_their_decay_is_added_to_the_gradient(kind: OptimizerKind[Any]) -> None:
    assert not torch.equal(trained(kind, weight_decay=0.5), trained(kind))


@pytest.mark.parametrize(
    ("kind", "options", "slots"),
    [
        (ADAGRAD, {}, 1),
        (RMSPROP, {}, 1),
        (RMSPROP, {"momentum": 0.9}, 2),
        (ADADELTA, {}, 2),
    ],
)
def test_a_plan_counts_what_they_keep(
    kind: OptimizerKind[Any], options: dict[str, Any], slots: int
) -> None:
    config = kind.config.model_validate(options)
    weight = nn.Parameter(FIRST.clone())
    optimizer = kind.build(config, [{"params": [weight], "weight_decay": 0.0}])
    weight.grad = GRADIENTS[0].clone()
    optimizer.step()

    kept = [each for each in optimizer.state[weight].values() if each.shape == weight.shape]

    assert config.slots() == len(kept) == slots


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ADAGRAD, {"lr": 0}),
        (ADAGRAD, {"momentum": 0.9}),
        (RMSPROP, {"alpha": 1.0}),
        (RMSPROP, {"momentum": 1}),
        (RMSPROP, {"centered": True}),
        (ADADELTA, {"rho": 1}),
        (ADADELTA, {"eps": 0}),
    ],
)
def test_options_out_of_bounds_are_refused(kind: OptimizerKind[Any], options: object) -> None:
    with pytest.raises(ValidationError):
        kind.config.model_validate(options)
