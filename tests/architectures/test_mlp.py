"""The multi-layer perceptron: its arithmetic, its layers, and that `step` really learns."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

import pytest
import torch
from torch import nn

from service.architectures.dropout import Dropout
from service.architectures.layers import BatchNorm1d
from service.architectures.mlp import MlpConfig, build
from service.domain.shapes import ImageShape

SHAPE = ImageShape(channels=1, height=2, width=3, classes=2)


def test_the_perceptron_is_linear_activation_linear() -> None:
    model = build(MlpConfig(hidden_sizes=(4,), activation="tanh"), SHAPE)
    w1, b1, w2, b2 = (parameter.detach() for parameter in model.parameters())
    images = torch.randn(5, 1, 2, 3)

    expected = torch.tanh(images.reshape(5, 6) @ w1.t() + b1) @ w2.t() + b2

    torch.testing.assert_close(model(images), expected)


def test_no_hidden_layer_makes_a_linear_classifier() -> None:
    model = build(MlpConfig(hidden_sizes=()), SHAPE)

    assert [tuple(parameter.shape) for parameter in model.parameters()] == [(2, 6), (2,)]


def test_batch_norm_and_dropout_stand_where_asked() -> None:
    model = build(MlpConfig(hidden_sizes=(4,), batch_norm=True, dropout=0.5), SHAPE)

    kinds = [type(layer) for layer in model.children()]
    assert kinds == [nn.Flatten, nn.Linear, BatchNorm1d, nn.ReLU, Dropout, nn.Linear]


@pytest.mark.parametrize("activation", ["step", "sigmoid", "tanh", "relu", "gelu"])
def test_every_activation_learns_exclusive_or(activation: str) -> None:
    torch.manual_seed(0)
    config = MlpConfig.model_validate({"hidden_sizes": [16], "activation": activation})
    model = build(config, ImageShape(channels=1, height=1, width=2, classes=2))
    images = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]).reshape(4, 1, 1, 2)
    labels = torch.tensor([0, 1, 1, 0])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    assert model(images).argmax(1).tolist() == labels.tolist()
