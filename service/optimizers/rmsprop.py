"""RMSprop (Hinton 2012, lecture 6e): steps by the root of a running mean of squared gradients.

v ← alpha · v + (1 - alpha) · g², then θ ← θ - lr · g / (√v + eps): what was long ago is forgotten,
which Adagrad never does. There is no centered form: its variance v - m² is below 0 where rounding
will have it so, and torch's root of that makes the weights NaN (seen with alpha 0, torch 2.13).
"""

from typing import Literal

from pydantic import Field
from torch import optim

from service.optimizers.base import OptimizerConfig, OptimizerKind, ParameterGroups
from service.optimizers.options import Epsilon, LearningRate, WeightDecay, picked


class RmspropConfig(OptimizerConfig, frozen=True):
    """Options of RMSprop (Hinton 2012): v ← α v + (1 - α) g², θ ← θ - lr · g / (√v + eps)."""

    type: Literal["rmsprop"] = "rmsprop"
    lr: LearningRate = 0.001
    alpha: float = Field(
        default=0.99, ge=0, lt=1, description="How much of the old mean square is kept at a step."
    )
    momentum: float = Field(
        default=0.0, ge=0, lt=1, description="How much of the last step is kept; 0: none."
    )
    eps: Epsilon = 1e-8
    weight_decay: WeightDecay = 0.0

    def slots(self) -> int:
        """Count the mean, and the last step if it counts, for each weight."""
        return 1 + (self.momentum > 0)


def build(config: RmspropConfig, groups: ParameterGroups) -> optim.RMSprop:
    """Build RMSprop over parameter groups that carry their weight decay."""
    return optim.RMSprop(
        groups, lr=picked(config.lr), alpha=config.alpha, eps=config.eps, momentum=config.momentum
    )


RMSPROP = OptimizerKind(
    config=RmspropConfig,
    build=build,
    summary="RMSprop: steps by the root of a running mean of squared gradients.",
)
