"""What an architecture module offers: one `ARCHITECTURE`, found by the catalogue.

Text models are called as `model(tokens, state) -> (logits, state)` with tokens (batch, time) and
have `initial_state(batch) -> Tensor`; image models as `model(images) -> logits` with images
(batch, channels, height, width) as normalised float32; models of whole texts as `model(tokens)`
and of rows as `model(rows)`, as their shapes say.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

from service.domain.components import Component, ComponentConfig
from service.domain.requests import Precision
from service.domain.shapes import ShapeKind

ConfigT = TypeVar("ConfigT", bound=ComponentConfig)


class ArchitectureConfig(ComponentConfig, frozen=True):
    """The base of every architecture's options."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What suits an architecture when the client says nothing: measured, not guessed.

    `rates`: the lr that suits an optimizer that a client names without one, by its type
    (`benchmarks/rates.py`).
    """

    optimizer: Component
    schedule: Component
    epochs: int
    batch_size: int
    gradient_clip: float | None = None
    precision: Precision = "float32"
    rates: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, kw_only=True)
class Architecture(Generic[ConfigT]):
    """One architecture: its options, what it fits, and how it is built for a shape.

    `recipe` suits all shapes but those that `recipes` names.

    `context(config)` tells how many tokens of a text are seen at once, where they are bounded:
    training then reads windows of so many, or fewer if asked.

    `build(config, shape)` draws initial weights from the global generator, which the caller seeds.
    It raises `Invalid` with pointers below /architecture where the two do not go together.
    """

    config: type[ConfigT]
    build: Callable[[ConfigT, Any], nn.Module]
    fits: tuple[ShapeKind, ...]
    recipe: Recipe
    summary: str
    example: dict[str, Any]
    recipes: Mapping[ShapeKind, Recipe] = field(default_factory=dict[ShapeKind, Recipe])
    context: Callable[[ConfigT], int] | None = None


class SequenceModel(Protocol):
    """A text model, as the task sees it."""

    def __call__(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (batch, time) and state → logits (batch, time, vocabulary) and the new state."""
        ...

    def initial_state(self, batch: int) -> Tensor:
        """Return x_0 for so many sequences."""
        ...


class Output(NamedTuple):
    """The last layer of a text model: logits = hidden · matrixᵀ + bias."""

    matrix: Tensor
    """(vocabulary, hidden)"""
    bias: Tensor | None


@runtime_checkable
class WithOutput(Protocol):
    """A text model that can stop before its last layer.

    With a large vocabulary most of a step is spent there: a loss that has the layer's parts needs
    not hold the logits of all words. A model need not offer this.
    """

    def hidden(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (batch, time), state → what the last layer reads (batch, time, hidden), state."""
        ...

    def output(self) -> Output:
        """Return the last layer."""
        ...


@runtime_checkable
class WithContext(Protocol):
    """A text model that sees only so many tokens at once, the last ones."""

    context: int


Cache = Any
"""What a model keeps of a text: tensors, in tuples that may be nested. It never changes."""


@runtime_checkable
class WithCache(Protocol):
    """A text model that reads on faster by keeping more of a text than its state.

    For use, not for training. A model that carries a state of a fixed size need not offer this.
    """

    def first_cache(self, batch: int) -> Cache:
        """Return the cache of texts of which nothing is read yet."""
        ...

    def read_on(self, tokens: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Tokens (batch, time) → logits (batch, vocabulary) after the last one, the new cache."""
        ...
