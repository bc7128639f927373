"""What an optimizer or schedule module offers: one `OPTIMIZER…` or `SCHEDULE…`, found by type."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from torch import nn
from torch.optim import Optimizer

from service.domain.components import ComponentConfig

ConfigT = TypeVar("ConfigT", bound=ComponentConfig)
ParameterGroups = list[dict[str, Any]]


class OptimizerConfig(ComponentConfig, frozen=True):
    """The base of every optimizer's options."""

    def slots(self) -> int:
        """Count the numbers that the optimizer keeps for each weight."""
        return 0


class ScheduleConfig(ComponentConfig, frozen=True):
    """The base of every schedule's options."""


@dataclass(frozen=True, kw_only=True)
class OptimizerKind(Generic[ConfigT]):
    """One optimizer. `full_batch`: a step sees all training data, accumulated over batches.

    `hidden_apart`: the first group that it is built over holds the matrices of hidden layers alone.
    """

    config: type[ConfigT]
    build: Callable[[ConfigT, ParameterGroups], Optimizer]
    summary: str
    full_batch: bool = False
    hidden_apart: bool = False


class Watch(NamedTuple):
    """Multiply lr by `factor` where a validation metric did not improve for `patience` epochs."""

    metric: str
    factor: float
    patience: int


@dataclass(frozen=True, kw_only=True)
class ScheduleKind(Generic[ConfigT]):
    """One learning-rate schedule: `factor(config, step, steps)` multiplies lr at that step.

    With `watch(config)` lr falls also by what validation says.
    """

    config: type[ConfigT]
    factor: Callable[[ConfigT, int, int], float]
    summary: str
    watch: Callable[[ConfigT], Watch] | None = None


def parameter_groups(
    model: nn.Module, *, weight_decay: float, hidden: Collection[str] | None = None
) -> ParameterGroups:
    """Split parameters so that weight decay acts on matrices only, not on biases and norms.

    If parameters of hidden layers are named, the matrices among them are a first group of their
    own; tables of embeddings and what has one dimension longer than 1 are no such matrices.
    """
    parameters = {
        name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad
    }
    apart = _matrices(model, parameters, hidden or ())
    rest = [parameter for name, parameter in parameters.items() if name not in apart]
    groups: ParameterGroups = [
        {"params": [each for each in rest if each.ndim >= 2], "weight_decay": weight_decay},
        {"params": [each for each in rest if each.ndim < 2], "weight_decay": 0.0},
    ]
    if hidden is not None:
        groups.insert(0, {"params": [*apart.values()], "weight_decay": weight_decay})
    return groups


def _matrices(
    model: nn.Module, parameters: dict[str, nn.Parameter], hidden: Collection[str]
) -> dict[str, nn.Parameter]:
    tables = {id(each.weight) for each in model.modules() if isinstance(each, nn.Embedding)}
    return {
        name: parameter
        for name, parameter in parameters.items()
        if name in hidden
        and id(parameter) not in tables
        and sum(size > 1 for size in parameter.shape) >= 2
    }
