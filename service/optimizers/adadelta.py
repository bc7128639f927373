"""Adadelta (Zeiler 2012): steps in the units of the weights, with hardly a learning rate.

v ← rho · v + (1 - rho) · g², Δ = g · √(u + eps) / √(v + eps), u ← rho · u + (1 - rho) · Δ², then
θ ← θ - lr · Δ: the numerator is what the last steps were, so lr 1 suits most models.
"""

from typing import Annotated, Literal

from pydantic import Field
from torch import optim

from service.optimizers.base import OptimizerConfig, OptimizerKind, ParameterGroups
from service.optimizers.options import Epsilon, LearningRate, WeightDecay, picked


class AdadeltaConfig(OptimizerConfig, frozen=True):
    """Options of Adadelta (Zeiler 2012): θ ← θ - lr · Δ, Δ = g · √(u + eps) / √(v + eps).

    v and u are running means of g² and of Δ².
    """

    type: Literal["adadelta"] = "adadelta"
    lr: LearningRate = 1.0
    rho: float = Field(
        default=0.9, ge=0, lt=1, description="How much of the old mean squares is kept at a step."
    )
    eps: Annotated[
        Epsilon,
        Field(description="Added to v and u below their roots; the first steps are about √eps."),
    ] = 1e-6
    weight_decay: WeightDecay = 0.0

    def slots(self) -> int:
        """Count two running means for each weight."""
        return 2


def build(config: AdadeltaConfig, groups: ParameterGroups) -> optim.Adadelta:
    """Build Adadelta over parameter groups that carry their weight decay."""
    return optim.Adadelta(groups, lr=picked(config.lr), rho=config.rho, eps=config.eps)


ADADELTA = OptimizerKind(
    config=AdadeltaConfig,
    build=build,
    summary="Adadelta: steps as long as the last ones, by the root of mean squared gradients.",
)
