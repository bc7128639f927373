"""Transformer (Vaswani et al. 2017): layers of attention and of a perceptron for every token.

Of W = width: x ← x + attention(norm(x)), then x ← x + mlp(norm(x)), for x (batch, time, W); at the
end logits = norm(x) Vᵀ. For next words each token sees itself and those before it; of whole texts
each sees all, and the mean over a text is what its class is told from.

The norms come before each branch (RMSNorm, Zhang and Sennrich 2019; or LayerNorm, Ba et al. 2016)
and have no weights: those of the matrix behind them do the same. What leads out of a branch begins
as zero, so that the untrained network is its embedding, however deep it is. What goes into a branch
is mixed with the token before, each channel by a share of its own (token shift, Peng et al. 2023).
"""

from typing import Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from service.architectures.attention import Attention, Rotary
from service.architectures.base import Architecture, ArchitectureConfig, Output, Recipe
from service.architectures.caches import LayerCache, TextCache
from service.architectures.dropout import Dropout
from service.architectures.gradients import rms_norm
from service.architectures.perceptron import Mlp, Perceptron
from service.domain.components import Component
from service.domain.problems import invalid_field
from service.domain.shapes import END_OF_TEXT, TextClassShape, TextShape
from service.domain.validation import invalid_fields

_EMBEDDING_STD = 0.02

Norm = Literal["rms", "layer"]


class TransformerConfig(ArchitectureConfig, frozen=True):
    """Options of the Transformer."""

    type: Literal["transformer"] = "transformer"
    layers: int = Field(
        default=4, ge=1, le=64, description="Attention and perceptron, so many times."
    )
    heads: int = Field(
        default=4, ge=1, le=128, description="Attentions side by side; they divide the width."
    )
    width: int = Field(
        default=128, ge=1, le=8192, description="Length of the vector that stands for a token."
    )
    context: int = Field(
        default=128,
        ge=1,
        le=4096,
        description="Tokens that are seen at once: a prediction reads the last so many, and "
        "training windows of so many, unless the dataset's sequence_length says fewer.",
    )
    positions: Literal["rotary", "learned"] = Field(
        default="rotary",
        description="How places are told apart. rotary: queries and keys are turned by their "
        "places, of which then only distances matter; learned: a trained vector is added.",
    )
    norm: Norm = Field(
        default="rms",
        description="What each branch sees of x. rms: x / √mean(x²); layer: less the mean first.",
    )
    mlp: Perceptron = Field(
        default="relu2",
        description="Between its two matrices: relu2 max(0, h)², gelu, or swiglu with a gate.",
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Chance that an element is left out, of embeddings and of what a branch adds.",
    )
    tied_embeddings: bool = Field(
        default=False, description="Score words by the very vectors that stand for them."
    )


class Normalise(nn.Module):
    """Vectors (…, W) to length √W each; `layer` takes their mean away first."""

    def __init__(self, norm: Norm, width: int) -> None:
        super().__init__()
        self.norm, self.shape = norm, (width,)

    def forward(self, values: Tensor) -> Tensor:
        """Return the normalised vectors."""
        if self.norm == "layer":
            return functional.layer_norm(values, self.shape)
        return rms_norm(values)


class Branch(nn.Module):
    """What stands before attention or perceptron: the norm, and a share of the token before."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm = Normalise(config.norm, config.width)
        self.share = nn.Parameter(torch.zeros(config.width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (batch, time, W); the first token has nothing before it."""
        tokens = self.norm(tokens)
        before = functional.pad(tokens, (0, 0, 1, -1))
        return torch.lerp(tokens, before, self.share)

    def read_on(self, tokens: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """Do the same behind a last token (batch, 1, W), as it was normalised; return the next."""
        tokens = self.norm(tokens)
        before = torch.cat([last, tokens[:, :-1]], dim=1)
        return torch.lerp(tokens, before, self.share), tokens[:, -1:]


class Layer(nn.Module):
    """Attention, then perceptron, each beside the way that x takes."""

    def __init__(self, config: TransformerConfig, *, causal: bool, first: bool) -> None:
        super().__init__()
        self.before_attention, self.before_mlp = Branch(config), Branch(config)
        self.attention = Attention(config.width, config.heads, causal=causal, first=first)
        self.mlp = Mlp(config.mlp, config.width)
        self.dropout = Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        rotary: Rotary | None,
        first_values: Tensor | None,
        exists: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Return x (batch, time, W), and the values of the attention."""
        found, values = self.attention(
            self.before_attention(x), rotary=rotary, first_values=first_values, exists=exists
        )
        x = x + self.dropout(found)
        return x + self.dropout(self.mlp(self.before_mlp(x))), values

    def read_on(
        self,
        x: Tensor,
        cache: LayerCache,
        place: int,
        rotary: Rotary | None,
        first_values: Tensor | None,
    ) -> tuple[Tensor, Tensor, LayerCache]:
        """Do the same for tokens behind those of a cache."""
        mixed, last = self.before_attention.read_on(x, cache.before_attention)
        found, values, cache = self.attention.read_on(
            mixed, cache, place, rotary=rotary, first_values=first_values
        )
        x = x + found
        mixed, last_of_mlp = self.before_mlp.read_on(x, cache.before_mlp)
        cache = cache._replace(before_attention=last, before_mlp=last_of_mlp)
        return x + self.mlp(mixed), values, cache


class Trunk(nn.Module):
    """Tokens (batch, time) → vectors (batch, time, W), for at most so many `places`."""

    def __init__(
        self, config: TransformerConfig, vocabulary_size: int, places: int, *, causal: bool
    ) -> None:
        super().__init__()
        width = config.width
        self.embedding = nn.Embedding(vocabulary_size, width)
        nn.init.normal_(self.embedding.weight, std=_EMBEDDING_STD)
        learned = config.positions == "learned"
        self.places = nn.Embedding(places, width) if learned else None
        self.rotary = None if learned else Rotary(places, width // config.heads)
        if self.places is not None:
            nn.init.normal_(self.places.weight, std=_EMBEDDING_STD)
        self.norm = Normalise(config.norm, width)
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(
            Layer(config, causal=causal, first=index == 0) for index in range(config.layers)
        )

    def forward(self, tokens: Tensor, exists: Tensor | None = None) -> Tensor:
        """Return the normalised vectors after the last layer."""
        x = self.embedding(tokens)
        if self.places is not None:
            x = x + self.places.weight[: tokens.shape[1]]
        x = self.dropout(self.norm(x))
        first_values: Tensor | None = None
        for layer in self.layers:
            x, values = layer(x, self.rotary, first_values, exists)
            first_values = values if first_values is None else first_values
        return self.norm(x)

    def read_on(self, tokens: Tensor, cache: TextCache) -> tuple[Tensor, TextCache]:
        """Return the vectors of further tokens, and the cache with them."""
        place = cache.tokens.shape[1]
        x = self.embedding(tokens)
        if self.places is not None:
            x = x + self.places.weight[place : place + tokens.shape[1]]
        x = self.norm(x)
        first_values: Tensor | None = None
        kept: list[LayerCache] = []
        for layer, before in zip(self.layers, cache.layers, strict=True):
            x, values, after = cast("Layer", layer).read_on(
                x, before, place, self.rotary, first_values
            )
            first_values = values if first_values is None else first_values
            kept.append(after)
        return self.norm(x), TextCache(torch.cat([cache.tokens, tokens], dim=1), tuple(kept))


class Decoder(nn.Module):
    """Reads running text; what it carries from call to call are the tokens it still sees.

    When `context` tokens are read, the older half is let go and the rest read anew: so each token
    is told from at least half of the context, and a text in pieces has the logits of the whole.
    (To let go one by one would mean to read all of them anew for each.)
    """

    def __init__(self, config: TransformerConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.context, self.heads = config.context, config.heads
        self.trunk = Trunk(config, vocabulary_size, config.context, causal=True)
        self.head = None if config.tied_embeddings else _head(config.width, vocabulary_size)

    def initial_state(self, batch: int) -> Tensor:
        """Return the tokens read so far, none: (batch, 0)."""
        return self.trunk.embedding.weight.new_zeros((batch, 0), dtype=torch.int64)

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (batch, time), state (batch, carried) → logits (batch, time, vocabulary), state.

        The new state has at most `context - 1` tokens, those that the next one sees.
        """
        hidden, state = self.hidden(tokens, state)
        return functional.linear(hidden, self.output().matrix), state

    def hidden(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the last layer reads (batch, time, W), and the new state."""
        read = torch.cat([state, tokens], dim=1)
        hidden = self._windows(read)[:, state.shape[1] :]
        return hidden, read[:, self._start(read.shape[1]) :]

    def first_cache(self, batch: int) -> TextCache:
        """Return the cache of texts of which nothing is read yet."""
        weight = self.trunk.embedding.weight
        nothing = weight.new_zeros((batch, self.heads, 0, weight.shape[1] // self.heads))
        before = weight.new_zeros((batch, 1, weight.shape[1]))
        layer = LayerCache(nothing, nothing, before, before)
        return TextCache(self.initial_state(batch), (layer,) * len(self.trunk.layers))

    def read_on(self, tokens: Tensor, cache: TextCache) -> tuple[Tensor, TextCache]:
        """Tokens (batch, time) → logits (batch, vocabulary) after the last one, the new cache.

        For a trained model alone: nothing is dropped out, and no gradient flows.
        """
        seen = torch.cat([cache.tokens, tokens], dim=1)
        start = self._start(seen.shape[1] - 1)
        if start:  # the context is full
            cache, tokens = self.first_cache(len(tokens)), seen[:, start:]
        hidden, cache = self.trunk.read_on(tokens, cache)
        return functional.linear(hidden[:, -1], self.output().matrix), cache

    def output(self) -> Output:
        """Return the last layer: what scores the words, (vocabulary, W)."""
        return Output((self.trunk.embedding if self.head is None else self.head).weight, None)

    def _start(self, place: int) -> int:
        """Tell the first token that is seen from a place of the text."""
        forgotten = (self.context + 1) // 2
        return max(0, (place - self.context) // forgotten + 1) * forgotten

    def _windows(self, tokens: Tensor) -> Tensor:
        """Return the vectors (batch, time, W) of a text of any length, read window by window."""
        batch, time = tokens.shape
        forgotten = (self.context + 1) // 2
        more = self._start(time - 1) // forgotten  # windows beside the first
        if not more:
            return self.trunk(tokens)
        missing = self.context + more * forgotten - time
        filled = functional.pad(tokens, (0, missing), value=END_OF_TEXT)
        windows = filled.unfold(1, self.context, forgotten).flatten(0, 1)
        x = self.trunk(windows).unflatten(0, (batch, 1 + more))
        new = x[:, 1:, self.context - forgotten :].flatten(1, 2)
        return torch.cat([x[:, 0], new], dim=1)[:, :time]


class Encoder(nn.Module):
    """Reads a whole text, in both directions, and tells its class from the mean over it."""

    def __init__(self, config: TransformerConfig, vocabulary_size: int, classes: int) -> None:
        super().__init__()
        self.context = config.context
        places = config.context + 1  # `<eos>` comes on top
        self.trunk = Trunk(config, vocabulary_size, places, causal=False)
        self.head = _head(config.width, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, time), filled up with `<eos>` → logits (batch, classes)."""
        length = (tokens != END_OF_TEXT).sum(dim=1, keepdim=True) + 1
        places = torch.arange(tokens.shape[1], device=tokens.device)
        exists = places < length  # the first `<eos>` does, what fills up does not
        x = self.trunk(tokens, exists)
        shares = exists / exists.sum(dim=1, keepdim=True)
        mean = (shares.to(x.dtype).unsqueeze(1) @ x).squeeze(1)
        return self.head(mean)


def build(config: TransformerConfig, shape: TextShape | TextClassShape) -> Decoder | Encoder:
    """Build the network. Raises Invalid where its options do not go together, or with the shape."""
    _check_heads(config)
    if isinstance(shape, TextClassShape):
        if config.tied_embeddings:
            detail = "ties words to the words that may follow; a whole text is followed by none"
            raise invalid_field("/architecture/tied_embeddings", f"{detail}: leave it out")
        return Encoder(config, shape.vocabulary_size, shape.classes)
    return Decoder(config, shape.vocabulary_size)


def _check_heads(config: TransformerConfig) -> None:
    width, heads = config.width, config.heads
    odd = config.positions == "rotary" and width // heads % 2
    if width % heads:
        found = f"must divide the width, and {width} is no multiple of {heads}"
    elif odd:
        found = f"make {width // heads} of the width each, and rotary positions turn pairs"
    else:
        return
    multiple = 2 * heads if config.positions == "rotary" else heads
    choose = f"must be a multiple of {multiple} for {heads} heads with {config.positions} positions"
    raise invalid_fields({"/architecture/width": choose, "/architecture/heads": found})


def _head(width: int, outputs: int) -> nn.Linear:
    head = nn.Linear(width, outputs, bias=False)
    nn.init.normal_(head.weight, std=_EMBEDDING_STD)
    return head


def _context(config: TransformerConfig) -> int:
    return config.context


ARCHITECTURE = Architecture(
    config=TransformerConfig,
    build=build,
    fits=("text", "text_classes"),
    recipe=Recipe(
        optimizer=Component.model_validate({"type": "muon", "lr": 0.02, "adamw_lr": 0.012}),
        schedule=Component.model_validate({"type": "linear", "flat": 0.4}),
        epochs=5,
        batch_size=8,
        rates={
            "adadelta": 10.0,
            "adagrad": 0.03,
            "adam": 0.01,
            "adamw": 0.01,
            "gd": 0.3,
            "rmsprop": 0.003,
            "sgd": 0.3,
        },
        precision="auto",  # in bfloat16 a step takes half the time, and the loss is the same
    ),
    recipes={
        "text_classes": Recipe(
            optimizer=Component.model_validate({"type": "muon", "lr": 0.01, "adamw_lr": 0.002}),
            schedule=Component.model_validate({"type": "linear"}),
            epochs=5,
            batch_size=32,
            rates={
                "adadelta": 1.0,
                "adagrad": 0.01,
                "adam": 0.001,
                "adamw": 0.001,
                "gd": 0.1,
                "rmsprop": 0.0003,
                "sgd": 0.1,
            },
            precision="auto",
        ),
    },
    summary="Transformer: attention with rotary positions, for next words and classes of texts.",
    example={
        "model": "eating-transformer",
        "dataset": "eating",
        "architecture": {"type": "transformer", "layers": 2, "heads": 4, "width": 64},
    },
    context=_context,
)
