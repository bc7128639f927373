"""Convolutional network for images: a stem, blocks that halve the image, a classifier.

Inside a block the pooling comes before batch norm and activation: they then work on a quarter of
the values, and max pooling commutes with both where the norm's scale is positive.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field, Strict
from torch import Tensor, nn

from service.architectures.activations import ACTIVATIONS, Activation
from service.architectures.base import Architecture, ArchitectureConfig, Recipe
from service.architectures.layers import BatchNorm2d, dense_layers
from service.domain.base import Incoming
from service.domain.components import Component
from service.domain.problems import invalid_field
from service.domain.requests import Sizes
from service.domain.shapes import ImageShape

Pool = Literal["max", "average", "none"]


class CnnBlock(Incoming):
    """Some convolutions of equal width; the image is halved after the first."""

    channels: int = Field(ge=1, le=4096, description="Feature maps of each convolution.")
    convolutions: int = Field(default=2, ge=1, le=16, description="Convolutions in the block.")
    kernel_size: int = Field(default=3, ge=1, le=31, description="Pixels; the image is padded.")
    pool: Pool = Field(default="max", description="How 2 × 2 pixels become one; none: not at all.")


class CnnConfig(ArchitectureConfig, frozen=True):
    """Options of the convolutional network."""

    type: Literal["cnn"] = "cnn"
    stem_channels: int = Field(
        default=32, ge=1, le=4096, description="Feature maps of the first convolution."
    )
    blocks: Annotated[tuple[CnnBlock, ...], Strict(False), Field(max_length=32)] = Field(
        default=(CnnBlock(channels=32), CnnBlock(channels=64), CnnBlock(channels=128)),
        description="Blocks, first to last; each that pools halves height and width.",
    )
    activation: Activation = Field(default="relu", description="σ after each convolution.")
    batch_norm: bool = Field(default=True, description="Normalise before each activation.")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Chance that a feature is left out before the end."
    )
    global_pool: Literal["average", "none"] = Field(
        default="average", description="Average each feature map to one number, or keep all pixels."
    )
    hidden_sizes: Annotated[Sizes, Field(max_length=64)] = Field(
        default=(), description="Units of fully connected layers before the logits."
    )


class Cnn(nn.Module):
    """Images (batch, channels, height, width) → logits (batch, classes)."""

    def __init__(self, config: CnnConfig, shape: ImageShape) -> None:
        super().__init__()
        self.stem = _convolution(
            config, shape.channels, config.stem_channels, kernel_size=3, pool="none"
        )
        self.blocks = nn.ModuleList()
        channels = config.stem_channels
        for block in config.blocks:
            self.blocks.append(_block(config, channels, block))
            channels = block.channels
        height, width = _check_size(config, shape)
        average = config.global_pool == "average"
        features = channels if average else channels * height * width
        self.pool = nn.AdaptiveAvgPool2d(1) if average else nn.Identity()
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(config.dropout),
            *dense_layers(
                features,
                config.hidden_sizes,
                config.activation,
                batch_norm=config.batch_norm,
                dropout=config.dropout,
            ),
            nn.Linear(config.hidden_sizes[-1] if config.hidden_sizes else features, shape.classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (batch, classes)."""
        # Channels last for what flows through: a step takes half to two thirds of the time on the
        # CPU (measured, torch 2.13). The weights stay as they are, so that a checkpoint brings
        # back weights and optimizer state in the same memory order.
        features = self.stem(images.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            features = block(features)
        return self.head(self.pool(features))


def build(config: CnnConfig, shape: ImageShape) -> Cnn:
    """Build the network. Raises Invalid where a pool would shrink the image to nothing."""
    _check_size(config, shape)
    return Cnn(config, shape)


def _check_size(config: CnnConfig, shape: ImageShape) -> tuple[int, int]:
    height, width = shape.height, shape.width
    for index, block in enumerate(config.blocks):
        if block.pool == "none":
            continue
        if min(height, width) < 2:
            raise invalid_field(
                f"/architecture/blocks/{index}/pool",
                f"shrinks an image of {height} × {width} pixels to nothing; "
                f"the data have {shape.height} × {shape.width}: use fewer pools, or none here",
            )
        height, width = height // 2, width // 2
    return height, width


def _block(config: CnnConfig, channels: int, block: CnnBlock) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(block.convolutions):
        pool: Pool = block.pool if index == 0 else "none"
        layers.append(_convolution(config, channels, block.channels, block.kernel_size, pool))
        channels = block.channels
    return nn.Sequential(*layers)


def _convolution(
    config: CnnConfig, inputs: int, outputs: int, kernel_size: int, pool: Pool
) -> nn.Sequential:
    """Make convolution, pooling, batch norm (which replaces the bias) and activation."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel_size, padding="same", bias=not config.batch_norm)
    ]
    if pool != "none":
        layers.append(nn.MaxPool2d(2) if pool == "max" else nn.AvgPool2d(2))
    if config.batch_norm:
        layers.append(BatchNorm2d(outputs))
    layers.append(ACTIVATIONS[config.activation]())
    return nn.Sequential(*layers)


ARCHITECTURE = Architecture(
    config=CnnConfig,
    build=build,
    fits=("images",),
    recipe=Recipe(
        optimizer=Component.model_validate({"type": "adamw", "lr": 0.004, "weight_decay": 0.05}),
        schedule=Component.model_validate({"type": "one_cycle"}),
        epochs=10,
        batch_size=64,
    ),
    summary="Convolutional network: blocks of convolutions, pooling, batch norm and activation.",
    example={
        "model": "clothes",
        "dataset": "fashion-mnist-mini",
        "architecture": {
            "type": "cnn",
            "stem_channels": 32,
            "blocks": [{"channels": 32}, {"channels": 64}, {"channels": 128}],
        },
        "training": {"epochs": 10},
    },
)
