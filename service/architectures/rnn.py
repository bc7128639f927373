"""State-space RNN (Elman 1990): x_t = σ(W_xx x_{t-1} + W_xu u_t + b_x), y_t = W_yx x_t + b_y.

The names of the weights are the names in the state dict. The first index letter says where a weight
leads into, the second where it comes from: `W_xu` reads "into x, from u". So `layers.0.W_xx` is
(hidden, hidden), `layers.0.W_xu` (hidden, input), `layers.0.b_x` (hidden), `W_yx` (vocabulary,
hidden), `b_y` (vocabulary). With several layers, u_t of layer k is the state x_t of layer k - 1.
Of whole texts y is read once, from the state after a text's `<eos>`: W_yx is (classes, hidden).
"""

from dataclasses import replace
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from service.architectures import recurrent
from service.architectures.base import Architecture, Recipe
from service.architectures.elman import ElmanActivation, elman
from service.architectures.recurrent import (
    Bidirectional,
    Initialization,
    Kind,
    Recurrent,
    RecurrentClassifier,
    RecurrentConfig,
    TiedEmbeddings,
)
from service.domain.base import LATER
from service.domain.components import Component
from service.domain.shapes import TextClassShape, TextShape


class RnnConfig(RecurrentConfig, frozen=True):
    """Options of the state-space RNN."""

    type: Literal["rnn"] = "rnn"
    hidden_size: int = Field(
        default=64, ge=1, le=4096, description="Length of the hidden state x_t; rows of W_xu, W_xx."
    )
    embedding_size: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Length of u_t as a learned vector; null: u_t is one-hot, and W_xu (into x, "
        "from u) has one column a word.",
    )
    activation: ElmanActivation = Field(
        default="tanh", description="σ, applied to every element of x_t."
    )
    initial_state: Literal["zeros", "ones", "normal", "learned"] = Field(
        default="zeros",
        description="x_0. normal: drawn once, with the seed; learned: trained like weights.",
    )
    tied_embeddings: Annotated[TiedEmbeddings, LATER] = False
    bidirectional: Annotated[Bidirectional, LATER] = False
    initialization: Annotated[Initialization, LATER] = "default"


class RnnLayer(nn.Module):
    """One state: x_t = σ(W_xx x_{t-1} + W_xu u_t + b_x)."""

    def __init__(
        self, inputs: int, hidden_size: int, activation: ElmanActivation, *, one_hot: bool
    ) -> None:
        super().__init__()
        self.W_xx = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.W_xu = nn.Parameter(torch.empty(hidden_size, inputs))
        self.b_x = nn.Parameter(torch.zeros(hidden_size))
        self.one_hot = one_hot
        self.activation: ElmanActivation = activation
        # A turned copy of what was: the state neither fades nor explodes (Saxe et al. 2014).
        nn.init.orthogonal_(self.W_xx)
        # One column of W_xu is all of a one-hot input; of a vector every column adds its part.
        bound = 0.5 if one_hot else (3 / inputs) ** 0.5
        nn.init.uniform_(self.W_xu, -bound, bound)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (time, batch[, input]), state (1, batch, hidden) → x_t (time, batch, hidden)."""
        # All W_xu u_t + b_x at once, ahead of the loop; for one-hot u_t they are columns of W_xu.
        if self.one_hot:
            driven = functional.embedding(inputs, self.W_xu.t()) + self.b_x
        else:
            driven = functional.linear(inputs, self.W_xu, self.b_x)
        driven = driven.to(self.W_xx.dtype)  # small products are quickest in float32
        states = elman(driven, state[0], self.W_xx, self.activation)
        return states, states[-1:]


def build(config: RnnConfig, shape: TextShape | TextClassShape) -> Recurrent | RecurrentClassifier:
    """Build the network for a vocabulary, and for classes if there are any."""
    hidden = config.hidden_size

    def layer(inputs: int | None) -> RnnLayer:
        size = shape.vocabulary_size if inputs is None else inputs
        return RnnLayer(size, hidden, config.activation, one_hot=inputs is None)

    def first(rows: int) -> Tensor:
        """Make x_0 (rows, hidden). It is in every checkpoint, so that a drawn one stays."""
        match config.initial_state:
            case "learned":
                return nn.Parameter(torch.zeros(rows, hidden))
            case "normal":
                return nn.Buffer(torch.randn(rows, hidden))
            case "ones":
                return nn.Buffer(torch.ones(rows, hidden), persistent=False)
            case "zeros":
                return recurrent.zeros(hidden)(rows)

    return recurrent.build(config, Kind(layer, first), shape)


# Measured for 5 epochs, seed 0: eating, validation loss 1.388; python-docs, perplexity 255.
_RECIPE = Recipe(
    optimizer=Component.model_validate({"type": "adamw", "lr": 0.01, "weight_decay": 0.01}),
    schedule=Component.model_validate({"type": "one_cycle"}),
    epochs=10,
    batch_size=32,
    gradient_clip=1.0,
    rates={
        "adadelta": 10.0,
        "adagrad": 0.1,
        "adam": 0.01,
        "gd": 1.0,
        "muon": 0.03,
        "rmsprop": 0.01,
        "sgd": 0.3,
    },
)

ARCHITECTURE = Architecture(
    config=RnnConfig,
    build=build,
    fits=("text", "text_classes"),
    recipe=_RECIPE,
    recipes={
        "text_classes": replace(
            _RECIPE,
            rates={
                "adadelta": 3.0,
                "adagrad": 0.1,
                "adam": 0.003,
                "gd": 1.0,
                "muon": 0.03,
                "rmsprop": 0.001,
                "sgd": 0.03,
            },
        )
    },
    summary="State-space RNN: x_t = σ(W_xx x_{t-1} + W_xu u_t + b_x), y_t = W_yx x_t + b_y.",
    example={
        "model": "eating",
        "dataset": "eating",
        "architecture": {"type": "rnn", "hidden_size": 64, "activation": "tanh"},
    },
)
