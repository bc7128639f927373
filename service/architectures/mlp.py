"""Multi-layer perceptron for images: flatten, then layers of h = σ(W h + b), then logits."""

from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from service.architectures.activations import Activation
from service.architectures.base import Architecture, ArchitectureConfig, Recipe
from service.architectures.layers import dense_layers
from service.domain.components import Component
from service.domain.requests import Sizes
from service.domain.shapes import ImageShape


class MlpConfig(ArchitectureConfig, frozen=True):
    """Options of the multi-layer perceptron."""

    type: Literal["mlp"] = "mlp"
    hidden_sizes: Annotated[Sizes, Field(max_length=64)] = Field(
        default=(128, 64), description="Units of each hidden layer; []: a linear classifier."
    )
    activation: Activation = Field(
        default="relu", description="σ after each hidden layer; step: straight-through gradient."
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Chance that a hidden unit is left out in training."
    )
    batch_norm: bool = Field(default=False, description="Normalise before each activation.")


def build(config: MlpConfig, shape: ImageShape) -> nn.Module:
    """Build the perceptron: images (batch, channels, height, width) → logits (batch, classes)."""
    pixels = shape.channels * shape.height * shape.width
    hidden = dense_layers(
        pixels,
        config.hidden_sizes,
        config.activation,
        batch_norm=config.batch_norm,
        dropout=config.dropout,
    )
    last = config.hidden_sizes[-1] if config.hidden_sizes else pixels
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(last, shape.classes))


ARCHITECTURE = Architecture(
    config=MlpConfig,
    build=build,
    fits=("images",),
    recipe=Recipe(
        optimizer=Component.model_validate({"type": "adamw", "lr": 0.002, "weight_decay": 0.05}),
        schedule=Component.model_validate({"type": "one_cycle"}),
        epochs=20,
        batch_size=64,
    ),
    summary="Multi-layer perceptron: flattened pixels through fully connected layers.",
    example={
        "dataset": "digits",
        "architecture": {"type": "mlp", "hidden_sizes": [128, 64], "activation": "tanh"},
    },
)
