"""Adagrad (Duchi, Hazan and Singer 2011): a step size that every weight uses up by itself.

s ← s + g², then θ ← θ - lr · g / (√s + eps), element by element: s only grows, so steps shrink, the
more slowly the rarer a weight has a gradient.
"""

from typing import Literal

from torch import optim

from service.optimizers.base import OptimizerConfig, OptimizerKind, ParameterGroups
from service.optimizers.options import Epsilon, LearningRate, WeightDecay, picked


class AdagradConfig(OptimizerConfig, frozen=True):
    """Options of Adagrad (Duchi et al. 2011): s ← s + g², θ ← θ - lr · g / (√s + eps)."""

    type: Literal["adagrad"] = "adagrad"
    lr: LearningRate = 0.01
    eps: Epsilon = 1e-10
    weight_decay: WeightDecay = 0.0

    def slots(self) -> int:
        """Count the sum of squares for each weight."""
        return 1


def build(config: AdagradConfig, groups: ParameterGroups) -> optim.Adagrad:
    """Build Adagrad over parameter groups that carry their weight decay."""
    return optim.Adagrad(groups, lr=picked(config.lr), eps=config.eps)


ADAGRAD = OptimizerKind(
    config=AdagradConfig,
    build=build,
    summary="Adagrad: steps by the root of the sum of all squared gradients so far.",
)
