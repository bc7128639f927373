"""Activation functions by name. `step` has no useful gradient, so it is passed straight through."""

from collections.abc import Mapping
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from service.architectures.gradients import squared_relu

Activation = Literal["step", "sigmoid", "tanh", "relu", "gelu"]


class _StraightThroughStep(torch.autograd.Function):
    """1 where the input is positive, else 0; backwards the identity, within [-1, 1].

    The straight-through estimator of Bengio, Léonard and Courville 2013, clipped as in Hubara et
    al. 2016: far from the threshold, pushing on would change nothing.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(value)
        return (value > 0).to(value.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (value,) = ctx.saved_tensors
        return gradient * (value.abs() <= 1)


class Step(nn.Module):
    """The threshold unit of McCulloch and Pitts, trainable by a straight-through gradient."""

    def forward(self, value: Tensor) -> Tensor:
        """Return 1 where `value` is positive, else 0, in its own dtype."""
        return cast("Tensor", _StraightThroughStep.apply(value))  # pyright: ignore[reportUnknownMemberType]


class SquaredRelu(nn.Module):
    """ReLU² (So et al. 2021), between the two matrices of a Transformer's perceptron."""

    def forward(self, value: Tensor) -> Tensor:
        """Return max(0, x)², element by element."""
        return squared_relu(value)


ACTIVATIONS: Mapping[Activation, type[nn.Module]] = {
    "step": Step,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
}

GAINS: Mapping[Activation, float] = {
    "step": 1.0,
    "sigmoid": 4.0,  # its slope at 0 is 1/4
    "tanh": 5 / 3,
    "relu": 2**0.5,
    "gelu": 2**0.5,
}
"""By how much weights are scaled at the beginning, so that signals keep their size with depth."""


def activation_of(module: nn.Module) -> str | None:
    """Name the activation that a module's output has gone through last; None if it is no layer's.

    A layer that applies its activation by itself, as those in time do, names it in `activation`.
    """
    if isinstance(module, SquaredRelu):
        return "relu"  # 0 where a ReLU is
    for name, kind in ACTIVATIONS.items():
        if type(module) is kind:
            return name
    own: object = getattr(module, "activation", None)
    return own if isinstance(own, str) else None
