"""What an optimizer or schedule module offers: one `OPTIMIZER…` or `SCHEDULE…`, found by type."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import nn
from torch.optim import Optimizer

from service.domain.components import ComponentConfig

ConfigT = TypeVar("ConfigT", bound=ComponentConfig)
ParameterGroups = list[dict[str, Any]]


class OptimizerConfig(ComponentConfig, frozen=True):
    """The base of every optimizer's options."""


class ScheduleConfig(ComponentConfig, frozen=True):
    """The base of every schedule's options."""


@dataclass(frozen=True, kw_only=True)
class OptimizerKind(Generic[ConfigT]):
    """One optimizer. `full_batch`: a step sees all training data, accumulated over batches."""

    config: type[ConfigT]
    build: Callable[[ConfigT, ParameterGroups], Optimizer]
    summary: str
    full_batch: bool = False


@dataclass(frozen=True, kw_only=True)
class ScheduleKind(Generic[ConfigT]):
    """One learning-rate schedule: `factor(config, step, steps)` multiplies lr at that step."""

    config: type[ConfigT]
    factor: Callable[[ConfigT, int, int], float]
    summary: str


def parameter_groups(model: nn.Module, *, weight_decay: float) -> ParameterGroups:
    """Split parameters so that weight decay acts on matrices only, not on biases and norms."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in parameters if parameter.ndim >= 2]
    others = [parameter for parameter in parameters if parameter.ndim < 2]
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
