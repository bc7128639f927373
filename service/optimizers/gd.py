"""Gradient descent on the whole training set: θ ← θ - lr ∇L(θ), one step an epoch."""

from typing import Literal

from torch.optim import SGD

from service.optimizers.base import OptimizerConfig, OptimizerKind, ParameterGroups
from service.optimizers.options import LearningRate, WeightDecay, picked


class GdConfig(OptimizerConfig, frozen=True):
    """Options of gradient descent on all training data: θ ← θ - lr · ∇L(θ), one step an epoch."""

    type: Literal["gd"] = "gd"
    lr: LearningRate = 0.5
    weight_decay: WeightDecay = 0.0


def build(config: GdConfig, groups: ParameterGroups) -> SGD:
    """Build plain gradient descent; that the batch is full is the loop's part."""
    return SGD(groups, lr=picked(config.lr))


GD = OptimizerKind(
    config=GdConfig,
    build=build,
    summary="Gradient descent: one step an epoch, on the gradient of all training data.",
    full_batch=True,
)
