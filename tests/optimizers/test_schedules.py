"""Schedules: their values at the places that matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.base import resolved_options
from service.optimizers.schedules import (
    CONSTANT,
    COSINE,
    EXPONENTIAL,
    LINEAR,
    ONE_CYCLE,
    STEP,
    ConstantConfig,
    CosineConfig,
    ExponentialConfig,
    LinearConfig,
    OneCycleConfig,
    StepConfig,
)


def test_constant_rises_in_the_warm_up_and_stays() -> None:
    config = ConstantConfig(warmup_steps=4)

    factors = [CONSTANT.factor(config, step, 100) for step in range(6)]

    assert factors == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])


def test_cosine_is_half_way_down_in_the_middle() -> None:
    config = CosineConfig(warmup_steps=20, final_factor=0.1)

    assert COSINE.factor(config, 20, 120) == 1
    assert COSINE.factor(config, 70, 120) == pytest.approx(0.55)
    assert COSINE.factor(config, 120, 120) == pytest.approx(0.1)


def test_step_drops_at_equal_distances() -> None:
    config = StepConfig(step_size=10, gamma=0.5)

    assert [STEP.factor(config, step, 100) for step in (0, 9, 10, 29, 30)] == [
        1,
        1,
        0.5,
        0.25,
        0.125,
    ]


def test_step_without_a_size_drops_twice() -> None:
    assert STEP.factor(StepConfig(), 99, 100) == pytest.approx(0.01)


def test_step_counts_its_drops_from_the_beginning_of_the_warm_up() -> None:
    config = StepConfig(step_size=4, gamma=0.5, warmup_steps=2)

    factors = [STEP.factor(config, step, 100) for step in (0, 1, 2, 3, 4, 8)]

    assert factors == pytest.approx([1 / 3, 2 / 3, 1, 1, 0.5, 0.25])


def test_linear_is_flat_and_then_falls_on_a_straight_line() -> None:
    config = LinearConfig(flat=0.6, final_factor=0.2)

    factors = [LINEAR.factor(config, step, 10) for step in (0, 6, 7, 8, 9, 10)]

    assert factors == pytest.approx([1, 1, 0.8, 0.6, 0.4, 0.2])


def test_linear_without_a_flat_part_falls_to_zero_after_the_warm_up() -> None:
    config = LinearConfig(warmup_steps=2)

    factors = [LINEAR.factor(config, step, 10) for step in (0, 1, 2, 6, 9, 10)]

    assert factors == pytest.approx([1 / 3, 2 / 3, 1, 0.5, 0.125, 0])


def test_exponential_falls_by_the_same_factor_at_every_step() -> None:
    config = ExponentialConfig(final_factor=1 / 16, warmup_steps=2)

    factors = [EXPONENTIAL.factor(config, step, 6) for step in range(7)]

    assert factors == pytest.approx([1 / 3, 2 / 3, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16])


def test_what_came_later_stays_out_of_specs_at_its_default() -> None:
    assert "warmup_steps" not in resolved_options(StepConfig())
    assert resolved_options(StepConfig(warmup_steps=3))["warmup_steps"] == 3


def test_one_cycle_peaks_once() -> None:
    config = OneCycleConfig(rise=0.25)

    factors = [ONE_CYCLE.factor(config, step, 100) for step in range(101)]

    assert factors[0] == pytest.approx(0.04)
    assert max(factors) == factors[25] == 1
    assert factors[:26] == sorted(factors[:26])
    assert factors[25:] == sorted(factors[25:], reverse=True)
    assert factors[100] == pytest.approx(0)


@given(steps=st.integers(1, 200), data=st.data(), warmup=st.integers(0, 300))
def test_factors_are_between_zero_and_one(steps: int, data: st.DataObject, warmup: int) -> None:
    step = data.draw(st.integers(0, steps))

    assert 0 <= CONSTANT.factor(ConstantConfig(warmup_steps=warmup), step, steps) <= 1
    assert 0 <= COSINE.factor(CosineConfig(warmup_steps=warmup), step, steps) <= 1
    assert 0 <= STEP.factor(StepConfig(warmup_steps=warmup), step, steps) <= 1
    assert 0 <= LINEAR.factor(LinearConfig(flat=0.4, warmup_steps=warmup), step, steps) <= 1
    assert 0 <= EXPONENTIAL.factor(ExponentialConfig(warmup_steps=warmup), step, steps) <= 1
    assert 0 <= ONE_CYCLE.factor(OneCycleConfig(), step, steps) <= 1
