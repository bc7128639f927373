"""The convolutional network: sizes it takes, the order inside a block, shortcuts, bad shapes."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from service.architectures.cnn import CnnConfig, build
from service.architectures.layers import BatchNorm2d
from service.domain.components import Component
from service.domain.problems import Invalid
from service.domain.shapes import ImageShape


def a_shape(height: int, width: int, channels: int = 1) -> ImageShape:
    return ImageShape(channels=channels, height=height, width=width, classes=10)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (8, 8), (9, 31)])
def test_the_default_takes_images_of_many_sizes(height: int, width: int) -> None:
    model = build(CnnConfig(), a_shape(height, width, channels=3))

    assert model(torch.randn(2, 3, height, width)).shape == (2, 10)


@pytest.mark.parametrize("global_pool", ["average", "none"])
@pytest.mark.parametrize("pool", ["max", "average", "none"])
@pytest.mark.parametrize("residual", [False, True])
def test_every_option_builds_and_runs(global_pool: str, pool: str, residual: bool) -> None:
    config = CnnConfig.model_validate(
        {
            "residual": residual,
            "blocks": [{"channels": 3, "convolutions": 1, "kernel_size": 4, "pool": pool}],
            "global_pool": global_pool,
            "hidden_sizes": [5],
            "batch_norm": False,
            "dropout": 0.1,
            "activation": "gelu",
        }
    )

    assert build(config, a_shape(7, 5))(torch.randn(2, 1, 7, 5)).shape == (2, 10)


def test_pooling_comes_before_batch_norm_and_activation() -> None:
    model = build(CnnConfig(), a_shape(28, 28))

    kinds = [type(layer) for layer in model.get_submodule("blocks.0.0").children()]

    assert kinds == [nn.Conv2d, nn.MaxPool2d, BatchNorm2d, nn.ReLU]


def test_a_pool_that_leaves_nothing_is_named() -> None:
    config = CnnConfig.model_validate({"blocks": [{"channels": 4}] * 4})

    with pytest.raises(Invalid) as caught:
        build(config, a_shape(8, 28))

    assert [error.pointer for error in caught.value.errors] == ["/architecture/blocks/3/pool"]
    assert "1 × 3" in caught.value.detail


def test_without_padding_each_convolution_takes_its_kernel_but_one_pixel() -> None:
    config = CnnConfig.model_validate(
        {
            "blocks": [
                {"channels": 4, "kernel_size": 4, "convolutions": 2},
                {"channels": 4, "convolutions": 1, "pool": "none"},
            ],
            "padding": "none",
            "global_pool": "none",
        }
    )

    model = build(config, a_shape(20, 23))

    # 20 × 23, the stem 18 × 21, then 15 × 18, pooled 7 × 9, 4 × 6, and 2 × 4.
    assert model.get_parameter("head.2.weight").shape == (10, 4 * 2 * 4)
    assert model(torch.randn(2, 1, 20, 23)).shape == (2, 10)


@pytest.mark.parametrize(
    ("options", "side", "pointer"),
    [
        ({"blocks": []}, 2, "/architecture/padding"),
        ({"blocks": [{"channels": 4, "kernel_size": 5}]}, 6, "/architecture/blocks/0/kernel_size"),
        ({"blocks": [{"channels": 4}] * 2}, 6, "/architecture/blocks/0/kernel_size"),
        ({"blocks": [{"channels": 4}], "residual": True}, 28, "/architecture/residual"),
    ],
)
def test_an_image_that_is_too_small_without_padding_is_refused(
    options: dict[str, Any], side: int, pointer: str
) -> None:
    config = CnnConfig.model_validate({**options, "padding": "none"})

    with pytest.raises(Invalid) as caught:
        build(config, a_shape(side, side))

    assert [error.pointer for error in caught.value.errors] == [pointer]
    assert "padding" in caught.value.detail


def test_the_weights_stay_in_the_order_of_a_safetensors_file() -> None:
    model = build(CnnConfig(), a_shape(8, 8))
    model(torch.randn(4, 1, 8, 8)).sum().backward()

    assert all(parameter.is_contiguous() for parameter in model.parameters())
    assert all(
        parameter.grad is not None and parameter.grad.is_contiguous()
        for parameter in model.parameters()
    )


def a_residual_block(channels: int, pool: str, *, batch_norm: bool = True) -> nn.Module:
    """A block of two convolutions to 4 channels, with weights as training may leave them."""
    config = CnnConfig.model_validate(
        {
            "stem_channels": channels,
            "blocks": [{"channels": 4, "pool": pool}],
            "activation": "tanh",
            "batch_norm": batch_norm,
            "residual": True,
        }
    )
    block = build(config, a_shape(6, 6)).get_submodule("blocks.0").double()
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    return block


@pytest.mark.parametrize(("channels", "pool"), [(4, "none"), (4, "max"), (3, "max"), (3, "none")])
def test_a_residual_block_adds_what_came_in(channels: int, pool: str) -> None:
    block = a_residual_block(channels, pool, batch_norm=False)
    weights = dict(block.named_parameters())
    x = torch.randn(5, channels, 6, 6, dtype=torch.float64)

    def convolved(name: str, values: Tensor) -> Tensor:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return functional.conv2d(values, weight, bias, padding=weight.shape[-1] // 2)

    def pooled(values: Tensor) -> Tensor:
        return values if pool == "none" else functional.max_pool2d(values, 2)

    inner = torch.tanh(pooled(convolved("convolutions.0.0", x)))
    shortcut = pooled(x)
    if channels != 4:
        shortcut = convolved(f"shortcut.{int(pool != 'none')}", shortcut)
    expected = torch.tanh(convolved("convolutions.1.0", inner) + shortcut)

    torch.testing.assert_close(block(x), expected)


def test_only_where_the_channels_change_is_there_a_projection() -> None:
    assert not list(a_residual_block(4, "max").get_submodule("shortcut").parameters())
    kinds = [
        type(layer) for layer in a_residual_block(3, "max").get_submodule("shortcut").children()
    ]
    assert kinds == [nn.MaxPool2d, nn.Conv2d, BatchNorm2d]


def test_at_the_beginning_a_residual_block_lets_everything_through() -> None:
    config = CnnConfig.model_validate(
        {"stem_channels": 4, "blocks": [{"channels": 4, "pool": "none"}] * 12, "residual": True}
    )
    model = build(config, a_shape(6, 6))
    features = torch.rand(2, 4, 6, 6)

    passed = features
    for block in model.blocks:
        passed = block(passed)

    torch.testing.assert_close(passed, features)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_gradients_of_a_residual_block_are_right(batch_norm: bool) -> None:
    torch.manual_seed(0)
    block = a_residual_block(1, "average", batch_norm=batch_norm)
    names, weights = zip(*block.named_parameters(), strict=True)

    def run(images: Tensor, *values: Tensor) -> Tensor:
        parameters = dict(zip(names, values, strict=True))
        return torch.func.functional_call(block, parameters, (images,))

    images = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (images, *weights), fast_mode=True)


def test_options_that_came_later_are_not_in_a_plain_network() -> None:
    options = Component.of(CnnConfig()).options()
    assert {"residual", "initialization"}.isdisjoint(options)
