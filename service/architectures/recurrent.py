"""What the recurrent networks share: words in, layers in time, one matrix out.

A layer reads inputs (time, batch, …) from a state (parts, batch, hidden) on. The state of a network
is one tensor (layers × parts, batch, hidden), the parts of a layer beside each other: an LSTM has
two, h and c. Whole texts are told apart by their last state, y = W_yx x + b_y; read both ways,
each text backwards from its own end.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

from collections.abc import Callable
from typing import Annotated, NamedTuple, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from service.architectures import layers
from service.architectures.base import ArchitectureConfig, Output
from service.architectures.dropout import Dropout
from service.domain.problems import invalid_field
from service.domain.shapes import END_OF_TEXT, TextClassShape, TextShape

TiedEmbeddings = Annotated[
    bool,
    Field(
        description="Let the vectors of the words also be the rows of the output matrix (Press and "
        "Wolf 2017); embedding_size must be hidden_size. Only for next words."
    ),
]
Bidirectional = Annotated[
    bool,
    Field(
        description="Read a text from both ends (Schuster and Paliwal 1997). Only for whole texts: "
        "what comes next must not be seen before it is guessed."
    ),
]
Initialization = Annotated[
    layers.Initialization,
    Field(
        description="How matrices begin, each gate by itself. default: as suits this network; "
        "xavier: Glorot and Bengio 2010; kaiming: He et al. 2015; orthogonal: Saxe et al. 2014; "
        "zeros: all units stay alike."
    ),
]

_INITIALIZERS: dict[layers.Initialization, Callable[[Tensor], Tensor]] = {
    "xavier": nn.init.xavier_uniform_,
    "kaiming": lambda matrix: nn.init.kaiming_uniform_(matrix, nonlinearity="relu"),
    "orthogonal": nn.init.orthogonal_,
    "zeros": nn.init.zeros_,
}


class RecurrentConfig(ArchitectureConfig, frozen=True):
    """The options that every recurrent network has."""

    embedding_size: int | None = Field(
        default=128, ge=1, le=4096, description="Length of the learned vector of a word."
    )
    hidden_size: int = Field(
        default=128, ge=1, le=4096, description="Length of the hidden state of a layer."
    )
    layers: int = Field(default=1, ge=1, le=16, description="States stacked on each other.")
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Chance that an element of a word's vector or of a state is left out on its "
        "way up, never in time.",
    )
    tied_embeddings: TiedEmbeddings = False
    bidirectional: Bidirectional = False
    initialization: Initialization = "default"


class GatedConfig(RecurrentConfig, frozen=True):
    """The options of networks with gates, whose words are always vectors."""

    embedding_size: int = Field(
        default=128, ge=1, le=4096, description="Length of the learned vector of a word."
    )


class Kind(NamedTuple):
    """What tells recurrent networks apart: a layer for so many inputs, and x_0.

    `layer(None)` makes one that takes the indices of words: for networks without an embedding.
    `first(rows)` makes x_0 (rows, hidden), a parameter or a buffer.
    """

    layer: Callable[[int | None], nn.Module]
    first: Callable[[int], Tensor]
    parts: int = 1


class Recurrent(nn.Module):
    """Tokens and a state to logits and the next state."""

    W_yx: nn.Parameter | None

    def __init__(
        self, config: RecurrentConfig, kind: Kind, vocabulary_size: int, outputs: int
    ) -> None:
        super().__init__()
        hidden, words = config.hidden_size, config.embedding_size
        self.embedding = None if words is None else nn.Embedding(vocabulary_size, words)
        ways = 2 if config.bidirectional else 1
        sizes = [words, *[ways * hidden] * (config.layers - 1)]
        self.layers = nn.ModuleList(map(kind.layer, sizes))
        self.backward_layers = nn.ModuleList(map(kind.layer, sizes) if ways == 2 else [])
        self.dropout = Dropout(config.dropout)
        width = ways * hidden
        tied = config.tied_embeddings
        self.W_yx = None if tied else nn.Parameter(torch.empty(outputs, width))
        self.b_y = nn.Parameter(torch.zeros(outputs))
        if self.W_yx is not None:
            nn.init.uniform_(self.W_yx, -(width**-0.5), width**-0.5)
        elif self.embedding is not None:
            # As rows of the output matrix, vectors of length √hidden would begin with a huge loss.
            nn.init.uniform_(self.embedding.weight, -(width**-0.5), width**-0.5)
        self._parts = kind.parts
        self.x_0 = kind.first(ways * config.layers * kind.parts)
        _initialize(self, config)

    def initial_state(self, batch: int) -> Tensor:
        """Return x_0 (layers × parts, batch, hidden) for so many sequences."""
        return self.x_0.unsqueeze(1).expand(-1, batch, -1)

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (batch, time), state → logits (batch, time, vocabulary), the state after them."""
        hidden, after = self.hidden(tokens, state)
        return functional.linear(hidden, *self.output()), after

    def hidden(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (batch, time), state → what y is read from (batch, time, hidden), the state."""
        inputs = self._inputs(tokens)
        after: list[Tensor] = []
        for layer, before in zip(self.layers, self._by_layer(state), strict=True):
            inputs, last = layer(inputs, before)
            inputs = self.dropout(inputs)
            after.append(last)
        return inputs.transpose(0, 1), torch.cat(after)

    def output(self) -> Output:
        """Return W_yx and b_y."""
        matrix = cast("nn.Embedding", self.embedding).weight if self.W_yx is None else self.W_yx
        return Output(matrix, self.b_y)

    def both_ways(self, tokens: Tensor, ends: Tensor) -> Tensor:
        """Tokens (batch, time), the places of their ends → states (batch, time, 2 × hidden).

        The first half has read the text up to a place, the second its end down to that place.
        """
        inputs = self._inputs(tokens)
        order = torch.arange(inputs.shape[0], device=tokens.device).unsqueeze(1)
        order = torch.where(order <= ends, ends - order, order)  # its own inverse
        states = self._by_layer(self.initial_state(tokens.shape[0]))
        pairs = zip(self.layers, self.backward_layers, states[::2], states[1::2], strict=True)
        for layer, backward_layer, before, behind in pairs:
            forwards, _ = layer(inputs, before)
            backwards, _ = backward_layer(_in_order(inputs, order), behind)
            inputs = self.dropout(torch.cat([forwards, _in_order(backwards, order)], dim=-1))
        return inputs.transpose(0, 1)

    def _inputs(self, tokens: Tensor) -> Tensor:
        turned = tokens.t()
        return turned if self.embedding is None else self.dropout(self.embedding(turned))

    def _by_layer(self, state: Tensor) -> tuple[Tensor, ...]:
        return torch.split(state, self._parts)


class RecurrentClassifier(nn.Module):
    """Tokens to the logits of the whole text; it holds a network with an output a class."""

    def __init__(self, rnn: Recurrent) -> None:
        super().__init__()
        self.rnn = rnn

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, time), filled up with `<eos>` → logits (batch, classes)."""
        # Not len(tokens), here and above: an export to ONNX takes that for a constant.
        rows = torch.arange(tokens.shape[0], device=tokens.device)
        ends = (tokens != END_OF_TEXT).sum(dim=1).clamp_(max=tokens.shape[1] - 1)
        if not self.rnn.backward_layers:
            states, _ = self.rnn.hidden(tokens, self.rnn.initial_state(tokens.shape[0]))
            return functional.linear(states[rows, ends], *self.rnn.output())
        states = self.rnn.both_ways(tokens, ends)
        (forwards, _), (_, backwards) = (
            each.chunk(2, dim=1) for each in (states[rows, ends], states[:, 0])
        )
        whole = torch.cat([forwards, backwards], dim=1)
        return functional.linear(whole, *self.rnn.output())


def build(
    config: RecurrentConfig, kind: Kind, shape: TextShape | TextClassShape
) -> Recurrent | RecurrentClassifier:
    """Build a network for a shape. Raises Invalid where its options do not go together with it."""
    if isinstance(shape, TextClassShape):
        if config.tied_embeddings:
            detail = "ties words to the words that may follow; a whole text is followed by none"
            raise invalid_field("/architecture/tied_embeddings", f"{detail}: leave it out")
        network = Recurrent(config, kind, shape.vocabulary_size, shape.classes)
        return RecurrentClassifier(network)
    if config.bidirectional:
        detail = "would read the next word before guessing it: from the end of the text, every word"
        detail = f"{detail} has been seen; it is for whole texts, which have classes"
        raise invalid_field("/architecture/bidirectional", detail)
    if config.tied_embeddings and config.embedding_size != config.hidden_size:
        found = "null (one-hot words)" if config.embedding_size is None else config.embedding_size
        detail = f"is {found}, and tied embeddings are rows of the output matrix, too"
        raise invalid_field(
            "/architecture/embedding_size",
            f"{detail}: give both sizes alike; hidden_size is {config.hidden_size}",
        )
    return Recurrent(config, kind, shape.vocabulary_size, shape.vocabulary_size)


def build_gated(
    config: GatedConfig,
    layer: Callable[[int, int], nn.Module],
    shape: TextShape | TextClassShape,
    *,
    parts: int = 1,
) -> Recurrent | RecurrentClassifier:
    """Build a network of layers for (inputs, hidden) that begin at zero. Raises Invalid."""
    hidden = config.hidden_size

    def make(inputs: int | None) -> nn.Module:
        return layer(inputs or config.embedding_size, hidden)

    return build(config, Kind(make, zeros(hidden), parts), shape)


def zeros(hidden_size: int) -> Callable[[int], Tensor]:
    """Give the x_0 of zeros, which is in no checkpoint."""
    return lambda rows: nn.Buffer(torch.zeros(rows, hidden_size), persistent=False)


def _initialize(network: Recurrent, config: RecurrentConfig) -> None:
    initializer = _INITIALIZERS.get(config.initialization)
    if initializer is None:
        return
    between = [*network.layers.parameters(), *network.backward_layers.parameters()]
    outside = [network.output().matrix]
    if config.initialization == "zeros" and network.embedding is not None:
        outside.append(network.embedding.weight)
    for matrix in outside:
        initializer(matrix)
    for weight in between:
        if weight.ndim == 2:
            for gate in torch.split(weight.detach(), config.hidden_size):
                initializer(gate)


def _in_order(values: Tensor, order: Tensor) -> Tensor:
    """Take values (time, batch, …) of each row in an order (time, batch)."""
    for size in values.shape[2:]:
        order = order.unsqueeze(-1).expand(*order.shape, size)
    return values.gather(0, order)
