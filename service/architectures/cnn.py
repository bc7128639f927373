"""Convolutional network for images: a stem, blocks that halve the image, a classifier.

Inside a block the pooling comes before batch norm and activation: they then work on a quarter of
the values, and max pooling commutes with both where the norm's scale is positive. With shortcuts, a
block learns what to add to what came in (He et al. 2016): σ(F(x) + x).
"""

from typing import Annotated, Literal

import torch
from pydantic import Field, Strict
from torch import Tensor, nn

from service.architectures.activations import ACTIVATIONS, Activation
from service.architectures.base import Architecture, ArchitectureConfig, Recipe
from service.architectures.dropout import Dropout
from service.architectures.layers import (
    ABOUT_INITIALIZATION,
    BatchNorm2d,
    Initialization,
    dense_layers,
    initialize,
)
from service.domain.base import LATER, Incoming
from service.domain.components import Component
from service.domain.problems import invalid_field
from service.domain.requests import Sizes
from service.domain.shapes import ImageShape

Pool = Literal["max", "average", "none"]
Padding = Literal["same", "none"]
_STEM_KERNEL = 3


class CnnBlock(Incoming):
    """Some convolutions of equal width; the image is halved after the first."""

    channels: int = Field(ge=1, le=4096, description="Feature maps of each convolution.")
    convolutions: int = Field(default=2, ge=1, le=16, description="Convolutions in the block.")
    kernel_size: int = Field(default=3, ge=1, le=31, description="Pixels.")
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
    residual: Annotated[bool, LATER] = Field(
        default=False,
        description="Add to each block what came into it, before its last activation (He et al. "
        "2016): pooled as the block pools, and projected by a convolution of 1 × 1 where the "
        "channels change. Deep networks learn then.",
    )
    padding: Annotated[Padding, LATER] = Field(
        default="same",
        description="same: zeros around the image keep its size; none: each convolution with a "
        "kernel of k pixels takes k - 1 away from height and width (LeCun et al. 1998).",
    )
    initialization: Annotated[Initialization, LATER] = Field(
        default="default", description=ABOUT_INITIALIZATION
    )


class Cnn(nn.Module):
    """Images (batch, channels, height, width) → logits (batch, classes)."""

    def __init__(self, config: CnnConfig, shape: ImageShape) -> None:
        super().__init__()
        self.stem = _convolution(
            config, shape.channels, config.stem_channels, kernel_size=_STEM_KERNEL, pool="none"
        )
        self.blocks = nn.ModuleList()
        channels = config.stem_channels
        for block in config.blocks:
            make = ResidualBlock if config.residual else _block
            self.blocks.append(make(config, channels, block))
            channels = block.channels
        height, width = _check_size(config, shape)
        average = config.global_pool == "average"
        features = channels if average else channels * height * width
        self.pool = nn.AdaptiveAvgPool2d(1) if average else nn.Identity()
        hidden = dense_layers(
            features,
            config.hidden_sizes,
            config.activation,
            batch_norm=config.batch_norm,
            dropout=config.dropout,
        )
        inputs = config.hidden_sizes[-1] if config.hidden_sizes else features
        last = nn.Linear(inputs, shape.classes)
        self.head = nn.Sequential(nn.Flatten(), Dropout(config.dropout), *hidden, last)
        initialize(self, config.initialization, config.activation, last=last)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (batch, classes)."""
        # Channels last for what flows through: a step takes half to two thirds of the time on the
        # CPU (measured, torch 2.13). The weights stay as they are, so that a checkpoint brings
        # back weights and optimizer state in the same memory order.
        features = self.stem(images.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            features = block(features)
        return self.head(self.pool(features))


class ResidualBlock(nn.Module):
    """σ(F(x) + x): F are the convolutions of a block, x is made to fit where they change it."""

    def __init__(self, config: CnnConfig, channels: int, block: CnnBlock) -> None:
        super().__init__()
        self.convolutions = _block(config, channels, block, activate_last=False)
        self.activation = ACTIVATIONS[config.activation]()
        shortcut = _pooling(block.pool)
        if block.channels != channels:
            shortcut.append(nn.Conv2d(channels, block.channels, 1, bias=not config.batch_norm))
            if config.batch_norm:
                shortcut.append(BatchNorm2d(block.channels))
        self.shortcut = nn.Sequential(*shortcut)
        norms = [each for each in self.convolutions.modules() if isinstance(each, BatchNorm2d)]
        for last in norms[-1:]:
            # At the beginning the block adds nothing: however deep, the signal goes through
            # (Goyal et al. 2017).
            nn.init.zeros_(last.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Return features (batch, channels, height, width), halved where the block pools."""
        return self.activation(self.convolutions(features) + self.shortcut(features))


def build(config: CnnConfig, shape: ImageShape) -> Cnn:
    """Build the network. Raises Invalid where an image would shrink to nothing."""
    _check_size(config, shape)
    return Cnn(config, shape)


def _check_size(config: CnnConfig, shape: ImageShape) -> tuple[int, int]:
    """Return the size of the last feature maps. Raises Invalid where there is nothing left."""
    if config.residual and config.padding == "none":
        detail = "adds what came in to what comes out, and without padding that is smaller"
        raise invalid_field("/architecture/residual", f"{detail}: set padding to same")
    size = _convolved(config, shape, (shape.height, shape.width), _STEM_KERNEL, "/padding")
    for index, block in enumerate(config.blocks):
        at = f"/blocks/{index}"
        for number in range(block.convolutions):
            size = _convolved(config, shape, size, block.kernel_size, f"{at}/kernel_size")
            if number == 0 and block.pool != "none":
                size = _left(shape, size, (size[0] // 2, size[1] // 2), f"{at}/pool")
    return size


def _convolved(
    config: CnnConfig, shape: ImageShape, size: tuple[int, int], kernel_size: int, at: str
) -> tuple[int, int]:
    taken = kernel_size - 1 if config.padding == "none" else 0
    return _left(shape, size, (size[0] - taken, size[1] - taken), at)


def _left(
    shape: ImageShape, before: tuple[int, int], after: tuple[int, int], at: str
) -> tuple[int, int]:
    if min(after) >= 1:
        return after
    raise invalid_field(
        f"/architecture{at}",
        f"shrinks an image of {before[0]} × {before[1]} pixels to nothing; the images have "
        f"{shape.height} × {shape.width}: use fewer pools, smaller kernels, or padding same",
    )


def _block(
    config: CnnConfig, channels: int, block: CnnBlock, *, activate_last: bool = True
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(block.convolutions):
        pool: Pool = block.pool if index == 0 else "none"
        activate = activate_last or index < block.convolutions - 1
        layers.append(
            _convolution(
                config, channels, block.channels, block.kernel_size, pool, activate=activate
            )
        )
        channels = block.channels
    return nn.Sequential(*layers)


def _convolution(
    config: CnnConfig,
    inputs: int,
    outputs: int,
    kernel_size: int,
    pool: Pool,
    *,
    activate: bool = True,
) -> nn.Sequential:
    """Make convolution, pooling, batch norm (which replaces the bias) and activation."""
    layers: list[nn.Module] = [
        nn.Conv2d(
            inputs,
            outputs,
            kernel_size,
            padding="same" if config.padding == "same" else "valid",
            bias=not config.batch_norm,
        )
    ]
    layers += _pooling(pool)
    if config.batch_norm:
        layers.append(BatchNorm2d(outputs))
    if activate:
        layers.append(ACTIVATIONS[config.activation]())
    return nn.Sequential(*layers)


def _pooling(pool: Pool) -> list[nn.Module]:
    if pool == "none":
        return []
    return [nn.MaxPool2d(2) if pool == "max" else nn.AvgPool2d(2)]


ARCHITECTURE = Architecture(
    config=CnnConfig,
    build=build,
    fits=("images",),
    recipe=Recipe(
        optimizer=Component.model_validate({"type": "adamw", "lr": 0.004, "weight_decay": 0.05}),
        schedule=Component.model_validate({"type": "one_cycle"}),
        epochs=10,
        batch_size=64,
        rates={
            "adadelta": 3.0,
            "adagrad": 0.03,
            "adam": 0.01,
            "gd": 0.3,
            "muon": 0.03,
            "rmsprop": 0.003,
            "sgd": 0.03,
        },
    ),
    summary="Convolutional network: blocks of convolutions, plain or with shortcuts (ResNet).",
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
