"""State-space RNN (Elman 1990): x_t = σ(W_xx x_{t-1} + W_xu u_t + b_x), y_t = W_yx x_t + b_y.

The names of the weights are the names in the state dict. The first index letter says where a weight
leads into, the second where it comes from: `W_xu` reads "into x, from u". So `layers.0.W_xx` is
(hidden, hidden), `layers.0.W_xu` (hidden, input), `layers.0.b_x` (hidden), `W_yx` (vocabulary,
hidden), `b_y` (vocabulary). With several layers, u_t of layer k is the state x_t of layer k - 1.
Of whole texts y is read once, from the state after a text's `<eos>`: W_yx is (classes, hidden).
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from service.architectures.base import Architecture, ArchitectureConfig, Recipe
from service.domain.components import Component
from service.domain.shapes import END_OF_TEXT, TextClassShape, TextShape

_SIGMA = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


class RnnConfig(ArchitectureConfig, frozen=True):
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
    activation: Literal["tanh", "relu", "sigmoid"] = Field(
        default="tanh", description="σ, applied to every element of x_t."
    )
    initial_state: Literal["zeros", "ones", "normal", "learned"] = Field(
        default="zeros",
        description="x_0. normal: drawn once, with the seed; learned: trained like weights.",
    )
    layers: int = Field(default=1, ge=1, le=16, description="States stacked on each other.")
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Chance that an element of x_t is left out on its way up, never in time.",
    )


class RnnLayer(nn.Module):
    """One state: x_t = σ(W_xx x_{t-1} + W_xu u_t + b_x)."""

    def __init__(self, inputs: int, hidden_size: int, activation: str, *, one_hot: bool) -> None:
        super().__init__()
        self.W_xx = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.W_xu = nn.Parameter(torch.empty(hidden_size, inputs))
        self.b_x = nn.Parameter(torch.zeros(hidden_size))
        self.one_hot = one_hot
        self.sigma = _SIGMA[activation]
        # A turned copy of what was: the state neither fades nor explodes (Saxe et al. 2014).
        nn.init.orthogonal_(self.W_xx)
        # One column of W_xu is all of a one-hot input; of a vector every column adds its part.
        bound = 0.5 if one_hot else (3 / inputs) ** 0.5
        nn.init.uniform_(self.W_xu, -bound, bound)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (time, batch[, input]), state (batch, hidden) → states (time, batch, hidden)."""
        # All W_xu u_t + b_x at once, ahead of the loop; for one-hot u_t they are columns of W_xu.
        if self.one_hot:
            driven = functional.embedding(inputs, self.W_xu.t()) + self.b_x
        else:
            driven = functional.linear(inputs, self.W_xu, self.b_x)
        recurrent = self.W_xx.t()
        states: list[Tensor] = []
        for driven_t in driven.unbind(0):
            state = self.sigma(torch.addmm(driven_t, state, recurrent))
            states.append(state)
        return torch.stack(states), state


class Rnn(nn.Module):
    """Tokens and a state to logits and the next state; see the module for the weights' names."""

    def __init__(self, config: RnnConfig, vocabulary_size: int, outputs: int) -> None:
        super().__init__()
        hidden = config.hidden_size
        one_hot = config.embedding_size is None
        self.embedding = (
            None
            if config.embedding_size is None
            else nn.Embedding(vocabulary_size, config.embedding_size)
        )
        first = config.embedding_size or vocabulary_size
        self.layers = nn.ModuleList(
            RnnLayer(
                first if index == 0 else hidden,
                hidden,
                config.activation,
                one_hot=one_hot and index == 0,
            )
            for index in range(config.layers)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.W_yx = nn.Parameter(torch.empty(outputs, hidden))
        self.b_y = nn.Parameter(torch.zeros(outputs))
        nn.init.uniform_(self.W_yx, -(hidden**-0.5), hidden**-0.5)
        self.x_0 = _first_state(config)

    def initial_state(self, batch: int) -> Tensor:
        """Return x_0 (layers, batch, hidden) for so many sequences."""
        return self.x_0.unsqueeze(1).expand(-1, batch, -1)

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (batch, time), state (layers, batch, hidden) → logits (batch, time, vocabulary).

        The second value is the state after the last token, in the shape of the first.
        """
        states, last = self.states(tokens, state)
        return functional.linear(states.transpose(0, 1), self.W_yx, self.b_y), last

    def states(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return x_t of the last layer (time, batch, hidden), and the state after all tokens."""
        inputs = tokens.t()
        if self.embedding is not None:
            inputs = self.embedding(inputs)
        last: list[Tensor] = []
        for layer, before in zip(self.layers, state.unbind(0), strict=True):
            inputs, after = layer(inputs, before)
            inputs = self.dropout(inputs)
            last.append(after)
        return inputs, torch.stack(last)


class RnnClassifier(nn.Module):
    """Tokens to the logits of the whole text; it holds an `Rnn` with an output a class."""

    def __init__(self, config: RnnConfig, vocabulary_size: int, classes: int) -> None:
        super().__init__()
        self.rnn = Rnn(config, vocabulary_size, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, time), filled up with `<eos>` → logits (batch, classes)."""
        states, _ = self.rnn.states(tokens, self.rnn.initial_state(len(tokens)))
        ends = (tokens != END_OF_TEXT).sum(dim=1).clamp_(max=tokens.shape[1] - 1)
        at_ends = states[ends, torch.arange(len(tokens), device=tokens.device)]
        return functional.linear(at_ends, self.rnn.W_yx, self.rnn.b_y)


def build(config: RnnConfig, shape: TextShape | TextClassShape) -> Rnn | RnnClassifier:
    """Build the network for a vocabulary, and for classes if there are any."""
    if isinstance(shape, TextClassShape):
        return RnnClassifier(config, shape.vocabulary_size, shape.classes)
    return Rnn(config, shape.vocabulary_size, shape.vocabulary_size)


def _first_state(config: RnnConfig) -> nn.Buffer | nn.Parameter:
    """Make x_0 (layers, hidden). It is in every checkpoint, so that a drawn one stays the same."""
    size = (config.layers, config.hidden_size)
    match config.initial_state:
        case "learned":
            return nn.Parameter(torch.zeros(size))
        case "normal":
            return nn.Buffer(torch.randn(size))
        case "ones":
            return nn.Buffer(torch.ones(size), persistent=False)
        case "zeros":
            return nn.Buffer(torch.zeros(size), persistent=False)


ARCHITECTURE = Architecture(
    config=RnnConfig,
    build=build,
    fits=("text", "text_classes"),
    recipe=Recipe(
        optimizer=Component.model_validate({"type": "adamw", "lr": 0.01, "weight_decay": 0.01}),
        schedule=Component.model_validate({"type": "one_cycle"}),
        epochs=10,
        batch_size=32,
        gradient_clip=1.0,
    ),
    summary="State-space RNN: x_t = σ(W_xx x_{t-1} + W_xu u_t + b_x), y_t = W_yx x_t + b_y.",
    example={
        "model": "eating",
        "dataset": "eating",
        "architecture": {"type": "rnn", "hidden_size": 64, "activation": "tanh"},
    },
)
