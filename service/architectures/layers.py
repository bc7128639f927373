"""Layers that several architectures are made of."""

from torch import Tensor, nn
from torch.nn import functional

from service.architectures.activations import ACTIVATIONS, GAINS, Activation


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
            layers.append(nn.Dropout(dropout))
        inputs = size
    return layers


def _is_one(norm: nn.BatchNorm1d | nn.BatchNorm2d, values: Tensor) -> bool:
    """Tell whether there is one value per channel: it has no deviation, and torch refuses it."""
    return norm.training and values.numel() == norm.num_features


def _by_the_past(norm: nn.BatchNorm1d | nn.BatchNorm2d, values: Tensor) -> Tensor:
    return functional.batch_norm(
        values, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
    )
