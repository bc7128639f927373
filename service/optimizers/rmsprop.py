"""RMSprop (Hinton 2012, lecture 6e): steps by the root of a running mean of squared gradients.

v ← alpha · v + (1 - alpha) · g², then θ ← θ - lr · g / (√v + eps): what was long ago is forgotten,
which Adagrad never does. Centered (Graves 2013), v loses the square of the running mean of g.
"""

from typing import Literal

from pydantic import Field
from torch import optim

from service.optimizers.base import OptimizerConfig, OptimizerKind, ParameterGroups
from service.optimizers.options import Epsilon, LearningRate, WeightDecay


class RmspropConfig(OptimizerConfig, frozen=True):
    """Options of RMSprop (Hinton 2012): v ← α v + (1 - α) g², θ ← θ - lr · g / (√v + eps)."""

    type: Literal["rmsprop"] = "rmsprop"
    lr: LearningRate = 0.01
    alpha: float = Field(
        default=0.99, ge=0, lt=1, description="How much of the old mean square is kept at a step."
    )
    momentum: float = Field(
        default=0.0, ge=0, lt=1, description="How much of the last step is kept; 0: none."
    )
    centered: bool = Field(
        default=False,
        description="Divide by the standard deviation of the gradient: v minus the square of its "
        "running mean (Graves 2013).",
    )
    eps: Epsilon = 1e-8
    weight_decay: WeightDecay = 0.0

    def slots(self) -> int:
        """Count the means, and the last step if it counts for each weight."""
        return 1 + (self.momentum > 0) + self.centered


def build(config: RmspropConfig, groups: ParameterGroups) -> optim.RMSprop:
    """Build RMSprop over parameter groups that carry their weight decay."""
    return optim.RMSprop(
        groups,
        lr=config.lr,
        alpha=config.alpha,
        eps=config.eps,
        momentum=config.momentum,
        centered=config.centered,
    )


RMSPROP = OptimizerKind(
    config=RmspropConfig,
    build=build,
    summary="RMSprop: steps by the root of a running mean of squared gradients.",
)
