"""Multi-layer perceptron: layers of h = σ(W h + b) over a vector, then logits or values.

The vector is of an image its pixels; of a text the sum of its words' embeddings, by the root of
their number (a bag of words: their order is not seen); of a row its numbers beside the embeddings
of its categories.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from service.architectures.activations import Activation
from service.architectures.base import Architecture, ArchitectureConfig, Recipe
from service.architectures.layers import (
    ABOUT_INITIALIZATION,
    Initialization,
    dense_layers,
    initialize,
)
from service.domain.base import LATER
from service.domain.components import Component
from service.domain.requests import Sizes
from service.domain.shapes import END_OF_TEXT, ImageShape, TableShape, TextClassShape


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
    embedding_size: Annotated[int, LATER] = Field(
        default=64, ge=1, le=4096, description="Of texts: length of the vector of a word."
    )
    initialization: Annotated[Initialization, LATER] = Field(
        default="default", description=ABOUT_INITIALIZATION
    )


class BagOfWords(nn.Module):
    """Tokens (batch, time) → the sum of the embeddings by the root of their number."""

    def __init__(self, vocabulary_size: int, size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, size)
        # Small at the beginning: a word that training hardly saw then says hardly anything.
        nn.init.normal_(self.embedding.weight, std=0.1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (batch, size); zeros for a text without a word."""
        words = (tokens != END_OF_TEXT).unsqueeze(-1)
        total = (self.embedding(tokens) * words).sum(dim=1)
        # By the root: the size stays alike for all lengths, and a long text is not drowned.
        return total / words.sum(dim=1).clamp_(min=1).float().sqrt()


class Features(nn.Module):
    """Rows (batch, numbers + categories) → the numbers, and the categories' embeddings."""

    def __init__(self, numbers: int, categories: tuple[int, ...]) -> None:
        super().__init__()
        self.numbers = numbers
        self.embeddings = nn.ModuleList(
            nn.Embedding(size, category_width(size)) for size in categories
        )

    def forward(self, rows: Tensor) -> Tensor:
        """Return (batch, numbers + widths of the embeddings)."""
        parts = [rows[:, : self.numbers]]
        for place, embedding in enumerate(self.embeddings, start=self.numbers):
            parts.append(embedding(rows[:, place].long()))
        return torch.cat(parts, dim=1)


def category_width(size: int) -> int:
    """Choose the length of the vector that stands for one of so many categories."""
    return min(16, (size + 1) // 2)


def build(config: MlpConfig, shape: ImageShape | TextClassShape | TableShape) -> nn.Module:
    """Build the perceptron: images, texts or rows → logits (batch, classes) or values."""
    first, inputs, outputs = _ends(config, shape)
    hidden = dense_layers(
        inputs,
        config.hidden_sizes,
        config.activation,
        batch_norm=config.batch_norm,
        dropout=config.dropout,
    )
    last = nn.Linear(config.hidden_sizes[-1] if config.hidden_sizes else inputs, outputs)
    model = nn.Sequential(first, *hidden, last)
    initialize(model, config.initialization, config.activation, last=last)
    return model


def _ends(
    config: MlpConfig, shape: ImageShape | TextClassShape | TableShape
) -> tuple[nn.Module, int, int]:
    """Return what makes a vector of an input, the vector's length and the number of outputs."""
    match shape:
        case ImageShape():
            return nn.Flatten(), shape.channels * shape.height * shape.width, shape.classes
        case TextClassShape():
            bag = BagOfWords(shape.vocabulary_size, config.embedding_size)
            return bag, config.embedding_size, shape.classes
        case TableShape():
            widths = sum(map(category_width, shape.categories))
            features = Features(shape.numbers, shape.categories)
            return features, shape.numbers + widths, shape.outputs


ARCHITECTURE = Architecture(
    config=MlpConfig,
    build=build,
    fits=("images", "text_classes", "rows"),
    recipe=Recipe(
        optimizer=Component.model_validate({"type": "adamw", "lr": 0.002, "weight_decay": 0.05}),
        schedule=Component.model_validate({"type": "one_cycle"}),
        epochs=20,
        batch_size=64,
        rates={
            "adadelta": 10.0,
            "adagrad": 0.1,
            "adam": 0.01,
            "gd": 0.3,
            "muon": 0.03,
            "rmsprop": 0.01,
            "sgd": 0.03,
        },
    ),
    recipes={
        "text_classes": Recipe(
            optimizer=Component.model_validate({"type": "adamw", "lr": 0.002}),
            schedule=Component.model_validate({"type": "one_cycle"}),
            epochs=15,
            batch_size=64,
            rates={
                "adadelta": 1.0,
                "adagrad": 0.01,
                "adam": 0.0003,
                "gd": 1.0,
                "muon": 0.0001,
                "rmsprop": 0.0003,
                "sgd": 0.03,
            },
        ),
        "rows": Recipe(
            optimizer=Component.model_validate({"type": "adamw", "lr": 0.005}),
            schedule=Component.model_validate({"type": "one_cycle"}),
            epochs=30,
            batch_size=64,
            rates={
                "adadelta": 10.0,
                "adagrad": 1.0,
                "adam": 0.03,
                "gd": 0.1,
                "muon": 0.003,
                "rmsprop": 0.01,
                "sgd": 0.1,
            },
        ),
    },
    summary="Multi-layer perceptron: pixels, a bag of words or a row through connected layers.",
    example={
        "dataset": "digits",
        "architecture": {"type": "mlp", "hidden_sizes": [128, 64], "activation": "tanh"},
    },
)
