"""The convolutional network: sizes it takes, the order inside a block, bad shapes."""

import pytest
import torch
from torch import nn

from service.architectures.cnn import CnnConfig, build
from service.architectures.layers import BatchNorm2d
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
def test_every_option_builds_and_runs(global_pool: str, pool: str) -> None:
    config = CnnConfig.model_validate(
        {
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


def test_the_weights_stay_in_the_order_of_a_safetensors_file() -> None:
    model = build(CnnConfig(), a_shape(8, 8))
    model(torch.randn(4, 1, 8, 8)).sum().backward()

    assert all(parameter.is_contiguous() for parameter in model.parameters())
    assert all(
        parameter.grad is not None and parameter.grad.is_contiguous()
        for parameter in model.parameters()
    )
