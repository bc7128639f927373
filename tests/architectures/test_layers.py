"""Layers that several architectures are made of, and how their weights begin."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from service.architectures.activations import Activation
from service.architectures.cnn import CnnConfig
from service.architectures.cnn import build as build_cnn
from service.architectures.layers import BatchNorm1d, BatchNorm2d, Initialization, initialize
from service.architectures.mlp import MlpConfig
from service.architectures.mlp import build as build_mlp
from service.domain.shapes import ImageShape

SHAPE = ImageShape(channels=1, height=8, width=8, classes=3)


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (BatchNorm1d(3), nn.BatchNorm1d(3), (5, 3)),
        (BatchNorm2d(3), nn.BatchNorm2d(3), (5, 3, 2, 2)),
        (BatchNorm2d(3), nn.BatchNorm2d(3), (1, 3, 2, 2)),
    ],
)
def test_batch_norm_is_that_of_torch(
    ours: nn.Module, theirs: nn.Module, shape: tuple[int, ...]
) -> None:
    values = torch.randn(shape)
    torch.testing.assert_close(ours(values), theirs(values), rtol=0, atol=0)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("norm", "shape"), [(BatchNorm1d(3), (1, 3)), (BatchNorm2d(3), (1, 3, 1, 1))]
)
def test_the_last_batch_of_an_epoch_may_have_one_example(
    norm: nn.Module, shape: tuple[int, ...]
) -> None:
    norm(torch.randn(shape).expand(4, *shape[1:]) + torch.randn(4, *shape[1:]))
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    one = torch.randn(shape, requires_grad=True)

    normalised = norm(one)
    normalised.sum().backward()

    assert one.grad is not None
    torch.testing.assert_close(normalised, norm.eval()(one))
    torch.testing.assert_close(norm.state_dict(), before, rtol=0, atol=0)


def initialized(how: Initialization) -> tuple[nn.Linear, nn.Conv2d, nn.Linear]:
    """Layers of 300 inputs and 200 outputs, 360 and 40 (3 × 3 pixels each), and 40 and 20."""
    torch.manual_seed(0)
    layers = nn.Linear(300, 200), nn.Conv2d(40, 40, 3), nn.Linear(40, 20)
    initialize(nn.Sequential(*layers), how, "relu", last=layers[2])
    return layers


def spread(weight: Tensor) -> float:
    return weight.std().item()


def test_weights_begin_by_the_number_of_inputs_and_outputs() -> None:
    linear, convolution, last = initialized("xavier")
    assert spread(linear.weight) == pytest.approx((2 * 2 / 500) ** 0.5, rel=0.02)
    assert spread(convolution.weight) == pytest.approx((2 * 2 / 720) ** 0.5, rel=0.02)
    assert spread(last.weight) == pytest.approx((2 / 60) ** 0.5, rel=0.1)


def test_weights_begin_by_the_number_of_inputs() -> None:
    linear, convolution, last = initialized("kaiming")
    assert spread(linear.weight) == pytest.approx((2 / 300) ** 0.5, rel=0.02)
    assert spread(convolution.weight) == pytest.approx((2 / 360) ** 0.5, rel=0.02)
    assert spread(last.weight) == pytest.approx((1 / 40) ** 0.5, rel=0.1)


def test_weights_begin_at_right_angles() -> None:
    for layer, gain in zip(initialized("orthogonal"), (2, 2, 1), strict=True):
        rows = layer.weight.detach().flatten(1)
        torch.testing.assert_close(rows @ rows.t(), gain * torch.eye(len(rows)))


@pytest.mark.parametrize("how", ["xavier", "kaiming", "orthogonal", "zeros"])
def test_biases_begin_at_zero(how: Initialization) -> None:
    for layer in initialized(how):
        assert layer.bias is not None
        assert not layer.bias.any()


@pytest.mark.parametrize("how", get_args(Initialization))
def test_networks_are_counted_and_built_with_every_beginning(how: Initialization) -> None:
    for device in ("meta", "cpu"):
        with torch.device(device):
            cnn = build_cnn(CnnConfig(initialization=how), SHAPE)
            mlp = build_mlp(MlpConfig(initialization=how), SHAPE)
            for model in (cnn, mlp):
                assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


def trained(how: Initialization, activation: Activation) -> dict[str, Tensor]:
    torch.manual_seed(0)
    config = MlpConfig(hidden_sizes=(6, 5), activation=activation, initialization=how)
    model = build_mlp(config, SHAPE)
    images, labels = torch.rand(30, 1, 8, 8), torch.arange(30) % 3 // 2
    images[labels == 1] += 1
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return model.state_dict()


def test_units_that_begin_equal_stay_equal() -> None:
    same, different = trained("zeros", "sigmoid"), trained("xavier", "sigmoid")
    for name in ("1.weight", "3.weight"):
        assert same[name].abs().max() > 0.1
        assert same[name].std(dim=0).max() < 1e-4  # they differ by rounding alone
        assert different[name].std(dim=0).min() > 0.01


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_where_zero_gives_zero_only_the_last_bias_learns(activation: Activation) -> None:
    changed = [name for name, values in trained("zeros", activation).items() if values.any()]
    assert changed == ["5.bias"]
