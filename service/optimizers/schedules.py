"""Learning-rate schedules: the factor on lr at each step, a pure function of (step, steps).

`steps` is the length of the whole training; the factor of step 0 is used by the first step.
"""

import math
from typing import Annotated, Literal

from pydantic import Field

from service.domain.base import LATER
from service.optimizers.base import ScheduleConfig, ScheduleKind
from service.optimizers.options import WarmupSteps


class ConstantConfig(ScheduleConfig, frozen=True):
    """Always the same lr, after an optional warm-up."""

    type: Literal["constant"] = "constant"
    warmup_steps: WarmupSteps = 0


class CosineConfig(ScheduleConfig, frozen=True):
    """Down a half cosine after the warm-up (Loshchilov and Hutter 2017, without restarts)."""

    type: Literal["cosine"] = "cosine"
    warmup_steps: WarmupSteps = 0
    final_factor: float = Field(
        default=0.0, ge=0, le=1, description="Factor on lr that the end of the training reaches."
    )


class StepConfig(ScheduleConfig, frozen=True):
    """Multiply lr by `gamma` at every `step_size` steps: lr · gamma^⌊step / step_size⌋."""

    type: Literal["step"] = "step"
    step_size: int | None = Field(
        default=None, ge=1, le=100_000_000, description="Steps; null: a third of the training."
    )
    gamma: float = Field(default=0.1, gt=0, le=1, description="Factor at each drop.")
    warmup_steps: Annotated[WarmupSteps, LATER] = 0


class LinearConfig(ScheduleConfig, frozen=True):
    """Flat for a part of the training, then straight down to `final_factor`.

    lr · (1 - (1 - final_factor) · (step - flat · steps) / (steps - flat · steps)). Flat, then down
    to 0, is the schedule of the speed runs of nanoGPT (Jordan et al. 2024).
    """

    type: Literal["linear"] = "linear"
    flat: float = Field(
        default=0.0, ge=0, le=1, description="Fraction of the training before lr begins to fall."
    )
    final_factor: float = Field(
        default=0.0, ge=0, le=1, description="Factor on lr that the end of the training reaches."
    )
    warmup_steps: WarmupSteps = 0


class ExponentialConfig(ScheduleConfig, frozen=True):
    """Down by the same factor at every step: lr · final_factor^(step / steps) after the warm-up."""

    type: Literal["exponential"] = "exponential"
    final_factor: float = Field(
        default=0.01, gt=0, le=1, description="Factor on lr that the end of the training reaches."
    )
    warmup_steps: WarmupSteps = 0


class OneCycleConfig(ScheduleConfig, frozen=True):
    """Up to lr and down to nearly nothing, both on a half cosine (Smith and Topin 2018)."""

    type: Literal["one_cycle"] = "one_cycle"
    rise: float = Field(
        default=0.25, gt=0, lt=1, description="Fraction of the training in which lr rises."
    )
    initial_factor: float = Field(default=0.04, gt=0, le=1, description="Factor at the beginning.")
    final_factor: float = Field(default=0.0, ge=0, le=1, description="Factor at the end.")


def constant_factor(config: ConstantConfig, step: int, steps: int) -> float:
    """Return 1, after the warm-up."""
    return warmup_factor(config.warmup_steps, step, steps)


def cosine_factor(config: CosineConfig, step: int, steps: int) -> float:
    """Rise in the warm-up, then fall to `final_factor` on a half cosine."""
    warmup = min(config.warmup_steps, steps)
    if step < warmup:
        return warmup_factor(warmup, step, steps)
    return _half_cosine(1.0, config.final_factor, (step - warmup) / max(1, steps - warmup))


def step_factor(config: StepConfig, step: int, steps: int) -> float:
    """Fall by `gamma` at every `step_size` steps, which are counted from the beginning."""
    step_size = config.step_size or max(1, math.ceil(steps / 3))
    return config.gamma ** (step // step_size) * warmup_factor(config.warmup_steps, step, steps)


def linear_factor(config: LinearConfig, step: int, steps: int) -> float:
    """Rise in the warm-up, stay, and fall to `final_factor` on a straight line."""
    warmup = min(config.warmup_steps, steps)
    if step < warmup:
        return warmup_factor(warmup, step, steps)
    top = max(warmup, config.flat * steps)
    fallen = max(0.0, step - top) / max(1.0, steps - top)
    return 1 - (1 - config.final_factor) * min(1.0, fallen)


def exponential_factor(config: ExponentialConfig, step: int, steps: int) -> float:
    """Rise in the warm-up, then fall to `final_factor`, at every step by the same factor."""
    warmup = min(config.warmup_steps, steps)
    if step < warmup:
        return warmup_factor(warmup, step, steps)
    return config.final_factor ** min(1.0, (step - warmup) / max(1, steps - warmup))


def one_cycle_factor(config: OneCycleConfig, step: int, steps: int) -> float:
    """Rise to 1 in the first part of the training, fall to `final_factor` in the rest."""
    peak = config.rise * steps
    if step < peak:
        return _half_cosine(config.initial_factor, 1.0, step / peak)
    return _half_cosine(1.0, config.final_factor, (step - peak) / max(1.0, steps - peak))


def warmup_factor(warmup_steps: int, step: int, steps: int) -> float:
    """Rise linearly to 1, which is reached after so many steps, or at the end."""
    return min(1.0, (step + 1) / (min(warmup_steps, steps) + 1))


def _half_cosine(start: float, end: float, fraction: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, fraction))) / 2


CONSTANT = ScheduleKind(
    config=ConstantConfig, factor=constant_factor, summary="The same lr all the time."
)
COSINE = ScheduleKind(
    config=CosineConfig, factor=cosine_factor, summary="A half cosine down, after a warm-up."
)
STEP = ScheduleKind(config=StepConfig, factor=step_factor, summary="Drops at equal distances.")
LINEAR = ScheduleKind(
    config=LinearConfig, factor=linear_factor, summary="Flat for a part, then straight down."
)
EXPONENTIAL = ScheduleKind(
    config=ExponentialConfig,
    factor=exponential_factor,
    summary="Down by the same factor at every step.",
)
ONE_CYCLE = ScheduleKind(
    config=OneCycleConfig, factor=one_cycle_factor, summary="Up and down once, on half cosines."
)
