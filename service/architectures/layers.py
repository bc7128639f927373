"""Layers that several architectures are made of, and how their weights begin."""

from collections.abc import Callable, Mapping
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from service.architectures.activations import ACTIVATIONS, GAINS, Activation
from service.architectures.dropout import Dropout


class BatchNorm1d(nn.BatchNorm1d):
    """Batch norm of vectors (Ioffe and Szegedy 2015) that takes a batch of one, too."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's name for it
        """Normalise by the batch; a batch of one by what was seen so far."""
        return _by_the_past(self, input) if _is_one(self, input) else super().forward(input)


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm of feature maps that takes one map of a single pixel, too."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's name for it
        """Normalise by the batch; a single value per channel by what was seen so far."""
        return _by_the_past(self, input) if _is_one(self, input) else super().forward(input)


def dense_layers(
    inputs: int, sizes: tuple[int, ...], activation: Activation, *, batch_norm: bool, dropout: float
) -> list[nn.Module]:
    """Make hidden layers: linear, batch norm if asked for, activation, dropout."""
    layers: list[nn.Module] = []
    for size in sizes:
        linear = nn.Linear(inputs, size)
        nn.init.xavier_normal_(linear.weight, gain=GAINS[activation])
        nn.init.zeros_(linear.bias)
        layers.append(linear)
        if batch_norm:
            layers.append(BatchNorm1d(size))
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(Dropout(dropout))
        inputs = size
    return layers


Initialization = Literal["default", "xavier", "kaiming", "orthogonal", "zeros"]

ABOUT_INITIALIZATION = (
    "How weights begin; biases then begin at 0. default: as PyTorch and this architecture do. "
    "xavier: variance 2 / (inputs + outputs) of a layer (Glorot and Bengio 2010). kaiming: "
    "1 / inputs (He et al. 2015). orthogonal: rows at right angles (Saxe et al. 2014). All three "
    "times the square of the activation's gain. zeros, to see why weights begin at random: units "
    "that are equal get equal gradients and stay equal, so that a layer of sigmoids is worth one, "
    "and behind relu or tanh nothing learns but the last bias."
)
"""What the option of an architecture says."""


def initialize(
    model: nn.Module, how: Initialization, activation: Activation, *, last: nn.Module
) -> None:
    """Draw the weights of all linear and convolutional layers anew, unless `how` is default.

    Each has the gain of the activation that follows it, `last` has none: it makes the logits.
    """
    if how == "default":
        return
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            _BEGINNINGS[how](layer.weight, 1.0 if layer is last else GAINS[activation])
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _kaiming(weight: Tensor, gain: float) -> Tensor:
    # torch's own knows no gain of a step, and takes 1 for a sigmoid's.
    return nn.init.normal_(weight, std=gain * weight[0].numel() ** -0.5)


def _zeros(weight: Tensor, gain: float) -> Tensor:
    del gain
    return nn.init.zeros_(weight)


_BEGINNINGS: Mapping[Initialization, Callable[[Tensor, float], Tensor]] = {
    "xavier": nn.init.xavier_normal_,
    "kaiming": _kaiming,
    "orthogonal": nn.init.orthogonal_,
    "zeros": _zeros,
}


def _is_one(norm: nn.BatchNorm1d | nn.BatchNorm2d, values: Tensor) -> bool:
    """Tell whether there is one value per channel: it has no deviation, and torch refuses it."""
    return norm.training and values.numel() == norm.num_features


def _by_the_past(norm: nn.BatchNorm1d | nn.BatchNorm2d, values: Tensor) -> Tensor:
    return functional.batch_norm(
        values, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
    )
