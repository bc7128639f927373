"""Plateau: lr falls where a validation metric no longer improves.

The only schedule that is no function of the step alone. What it saw is in its `state_dict`, beside
the step, so that a checkpoint holds it and a resume goes on exactly.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from service.domain.text import ShortText
from service.optimizers.base import ScheduleConfig, ScheduleKind, Watch
from service.optimizers.options import WarmupSteps
from service.optimizers.schedules import warmup_factor

MEMORY = ("best", "waited", "drops")
"""What of the state of a `PlateauLR` comes of what it saw."""


class PlateauConfig(ScheduleConfig, frozen=True):
    """Down by `factor` whenever a validation metric has not improved for `patience` epochs."""

    type: Literal["plateau"] = "plateau"
    metric: ShortText = Field(default="val_loss", description="A validation metric of the task.")
    factor: float = Field(default=0.5, gt=0, lt=1, description="Factor on lr at each drop.")
    patience: int = Field(
        default=2, ge=1, le=10_000, description="Epochs without improvement before a drop."
    )
    warmup_steps: WarmupSteps = 0


class PlateauLR(LambdaLR):
    """A schedule that is told of validation: lr · factor(step) · watch.factor^drops."""

    def __init__(self, optimizer: Optimizer, factor: Callable[[int], float], watch: Watch) -> None:
        self.watch = watch
        self.best: float | None = None
        self.waited = 0
        self.drops = 0
        super().__init__(optimizer, lambda step: factor(step) * watch.factor**self.drops)

    def state_dict(self) -> dict[str, Any]:
        """Return step and memory; what is watched is an option, not state."""
        return {name: value for name, value in super().state_dict().items() if name != "watch"}

    def improved(self, best: float | None) -> None:
        """Take in an epoch whose metric was better than all before, and remember it."""
        self.best, self.waited = best, 0

    def did_not_improve(self) -> None:
        """Take in another epoch; after too many of them lr falls, from the next step on."""
        self.waited += 1
        if self.waited >= self.watch.patience:
            self.waited, self.drops = 0, self.drops + 1
            set_rates(self)


def set_rates(schedule: LambdaLR) -> None:
    """Give the optimizer the learning rates that a schedule has for its step."""
    pairs = zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)
    rates = [base * factor(schedule.last_epoch) for base, factor in pairs]
    for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    schedule.load_state_dict({"_last_lr": rates, "lr_lambdas": [None] * len(rates)})


def factor(config: PlateauConfig, step: int, steps: int) -> float:
    """Return 1, after the warm-up: all else depends on what is seen."""
    return warmup_factor(config.warmup_steps, step, steps)


def watch(config: PlateauConfig) -> Watch:
    """Say what is watched."""
    return Watch(config.metric, config.factor, config.patience)


PLATEAU = ScheduleKind(
    config=PlateauConfig,
    factor=factor,
    watch=watch,
    summary="Drops whenever a validation metric no longer improves.",
)
