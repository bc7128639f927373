"""Layers that several architectures are made of."""

from torch import nn

from service.architectures.activations import ACTIVATIONS, GAINS, Activation


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
            layers.append(nn.BatchNorm1d(size))
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(nn.Dropout(dropout))
        inputs = size
    return layers
