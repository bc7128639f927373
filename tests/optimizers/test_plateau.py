"""Plateau: when lr falls, by how much, and what of it is state."""

import json

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from service.optimizers.base import Watch
from service.optimizers.plateau import MEMORY, PLATEAU, PlateauConfig, PlateauLR


def a_schedule(*, patience: int = 2) -> PlateauLR:
    """Over two groups with learning rates of 1 and 0.1; the first step is a warm-up."""
    groups = [{"params": [nn.Parameter(torch.zeros(2))], "lr": lr} for lr in (1.0, 0.1)]
    config = PlateauConfig(patience=patience, factor=0.5, warmup_steps=1)
    return PlateauLR(
        torch.optim.SGD(groups),
        lambda step: PLATEAU.factor(config, step, 100),
        Watch(config.metric, config.factor, config.patience),
    )


def rates(schedule: PlateauLR) -> list[float]:
    return [group["lr"] for group in schedule.optimizer.param_groups]


def step(schedule: PlateauLR) -> None:
    schedule.optimizer.step()
    schedule.step()


def test_all_rates_fall_after_so_many_epochs_without_improvement() -> None:
    schedule = a_schedule()
    step(schedule)
    assert rates(schedule) == pytest.approx([1, 0.1])

    schedule.did_not_improve()
    assert rates(schedule) == pytest.approx([1, 0.1])
    schedule.did_not_improve()

    assert rates(schedule) == schedule.get_last_lr() == pytest.approx([0.5, 0.05])
    step(schedule)
    assert rates(schedule) == pytest.approx([0.5, 0.05])


def test_patience_counts_again_after_an_improvement_and_after_a_drop() -> None:
    schedule = a_schedule()
    for better in (False, True, False, False, False):
        if better:
            schedule.improved(0.5)
        else:
            schedule.did_not_improve()

    assert (schedule.best, schedule.waited, schedule.drops) == (0.5, 1, 1)


def test_the_warm_up_goes_on_below_a_drop() -> None:
    schedule = a_schedule(patience=1)
    schedule.did_not_improve()
    assert rates(schedule) == pytest.approx([0.25, 0.025])

    step(schedule)

    assert rates(schedule) == pytest.approx([0.5, 0.05])


def test_what_it_saw_is_state_and_what_it_watches_is_none() -> None:
    schedule, other = a_schedule(), a_schedule()
    schedule.improved(2.0)
    schedule.did_not_improve()

    state = json.loads(json.dumps(schedule.state_dict()))
    other.load_state_dict(state)
    other.did_not_improve()

    assert set(MEMORY) < set(state)
    assert "watch" not in state
    assert (other.best, other.drops, rates(other)) == (2.0, 1, pytest.approx([0.25, 0.025]))


@pytest.mark.parametrize("options", [{"factor": 1}, {"factor": 0}, {"patience": 0}, {"metric": 3}])
def test_options_out_of_bounds_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PlateauConfig.model_validate(options)
