"""Stochastic gradient descent with momentum (Polyak 1964) and Nesterov's look-ahead (1983)."""

from typing import Literal, Self

from pydantic import Field, model_validator
from torch import optim

from service.optimizers.base import OptimizerConfig, OptimizerKind, ParameterGroups
from service.optimizers.options import LearningRate, WeightDecay, picked


class SgdConfig(OptimizerConfig, frozen=True):
    """Options of stochastic gradient descent: m ← momentum · m + g, θ ← θ - lr · m.

    The momentum is Polyak's (1964). With nesterov (1983): θ ← θ - lr · (g + momentum · m).
    """

    type: Literal["sgd"] = "sgd"
    lr: LearningRate = 0.1
    momentum: float = Field(
        default=0.9, ge=0, lt=1, description="How much of the last step is kept; 0: plain descent."
    )
    nesterov: bool = Field(
        default=False, description="Take the gradient where the momentum leads; needs momentum > 0."
    )
    weight_decay: WeightDecay = 0.0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            message = "nesterov needs a momentum above 0"
            raise ValueError(message)
        return self

    def slots(self) -> int:
        """Count the last step, if it counts for each weight."""
        return int(self.momentum > 0)


def build(config: SgdConfig, groups: ParameterGroups) -> optim.SGD:
    """Build SGD over parameter groups that carry their weight decay."""
    return optim.SGD(
        groups, lr=picked(config.lr), momentum=config.momentum, nesterov=config.nesterov
    )


SGD = OptimizerKind(
    config=SgdConfig,
    build=build,
    summary="Stochastic gradient descent with momentum.",
)
