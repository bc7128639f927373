"""What a task module offers: one `TASK`, found by the catalogue.

A task says what is learned: how data become tensors, the loss, the metrics, the baseline, how
inputs become tensors and outputs become predictions. It never knows which architecture it trains.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from torch import Tensor, nn
from torch.nn import functional

from service.datasets.base import Data
from service.domain.base import Incoming
from service.domain.evaluations import Evaluation
from service.domain.jobs import Baseline
from service.domain.predictions import Input, Prediction
from service.domain.shapes import Axis, Shape

OptionsT = TypeVar("OptionsT", bound="TaskOptions")


class TaskOptions(Incoming):
    """The base of a task's options: the further fields of a job's `dataset`."""


class Batch(NamedTuple):
    """Inputs and targets of one step; `weight` counts the targets that the mean loss is over."""

    inputs: Tensor
    targets: Tensor
    weight: int


class Examples(Protocol):
    """Prepared examples in memory. Batches are addressed, so that a resume can start at any."""

    def steps_per_epoch(self, batch_size: int) -> int:
        """Count the batches of one epoch; the last may be smaller."""
        ...

    def batch(self, *, epoch: int, position: int, batch_size: int, seed: int) -> Batch:
        """Make batch `position` of an epoch; the order is a function of (seed, epoch) alone."""
        ...

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Iterate over all examples once, never shuffled: for validation."""
        ...


class Encoded(NamedTuple):
    """Inputs as a tensor, and what was noticed on the way, per input."""

    tensor: Tensor
    lengths: list[int]
    unknown: list[list[str]]
    warnings: list[list[str]]


def bare(inputs: Tensor) -> Encoded:
    """Make of a tensor what a task is asked with: nothing was noticed, and texts are whole."""
    length = inputs.shape[1] if inputs.ndim == 2 and not inputs.is_floating_point() else 1
    return Encoded(
        tensor=inputs,
        lengths=[length] * len(inputs),
        unknown=[[] for _ in inputs],
        warnings=[[] for _ in inputs],
    )


def join(parts: Sequence[Encoded]) -> Encoded:
    """Put inputs together into one batch. Rows of words are padded; `lengths` tells their ends."""
    if len(parts) == 1:
        return parts[0]
    tensors = [part.tensor for part in parts]
    if tensors[0].ndim == 2:
        longest = max(tensor.shape[1] for tensor in tensors)
        tensors = [functional.pad(tensor, (0, longest - tensor.shape[1])) for tensor in tensors]
    return Encoded(
        tensor=torch.cat(tensors),
        lengths=list(chain.from_iterable(part.lengths for part in parts)),
        unknown=list(chain.from_iterable(part.unknown for part in parts)),
        warnings=list(chain.from_iterable(part.warnings for part in parts)),
    )


@runtime_checkable
class Addressed(Protocol):
    """Examples of which any can be had as they stand in the data, never augmented."""

    def at(self, chosen: Tensor) -> Batch:
        """Make a batch of the examples with these numbers."""
        ...


class Task(Protocol):
    """A task after preparation: everything that depended on the data is fixed."""

    @property
    def shape(self) -> Shape:
        """The shape a model must have."""
        ...

    @property
    def names(self) -> Mapping[Axis, Sequence[str]]:
        """What a model of this shape has rows for, in order, by the axis of the shape."""
        ...

    def preparation(self) -> bytes:
        """Return as JSON what `TaskKind.restore` needs to make this task again, without data."""
        ...

    def loss(
        self,
        model: nn.Module,
        batch: Batch,
        carry: Tensor | None,
        *,
        label_smoothing: float = 0.0,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the mean loss over `batch.weight` targets, and the state for the next batch.

        `carry` is what the last batch of the epoch returned, detached; None at its beginning.
        `label_smoothing` is above 0 only for tasks whose kind `smooths`.
        """
        ...

    def evaluate(self, model: nn.Module, batches: Iterator[Batch]) -> dict[str, float]:
        """Return the validation metrics (`val_loss`, …). The model is in eval mode."""
        ...

    def assess(self, model: nn.Module, batches: Iterator[Batch]) -> Evaluation:
        """Tell what a trained model is worth on validation data. The model is in eval mode."""
        ...

    def encode(self, inputs: Sequence[Input]) -> Encoded:
        """Make tensors of what a client sent. Raises Invalid with pointers below /inputs."""
        ...

    def infer(self, model: nn.Module, encoded: Encoded) -> Tensor:
        """Return the logits (input, classes or vocabulary) for encoded inputs."""
        ...

    def decode(
        self, logits: Tensor, encoded: Encoded, *, top_k: int, special_tokens: bool
    ) -> list[Prediction]:
        """Make predictions of logits, best candidates first."""
        ...


class Prompt(NamedTuple):
    """A text as the tokens that a model reads, and what was noticed on the way."""

    tokens: list[int]
    unknown: list[str]
    warnings: list[str]


@runtime_checkable
class Writes(Protocol):
    """A task whose models can write a text on, token by token. A task need not."""

    def prompt(self, model: nn.Module, encoded: Encoded) -> Prompt:
        """Make a prompt of an encoded text: no more tokens than the model sees."""
        ...

    def token(self, index: int) -> str:
        """Return a token of the vocabulary."""
        ...

    def behind(self, text: str, index: int) -> str:
        """Write a token as it stands behind a text."""
        ...

    @property
    def end(self) -> int:
        """The token that ends a text; those before it are never written."""
        ...


@runtime_checkable
class Shows(Protocol):
    """A task whose inputs are pictures: it can show what a model sees of one."""

    def shown(self, encoded: Encoded, number: int) -> bytes:
        """Draw input `number` as the model sees it, before normalisation: a PNG."""
        ...


class Prepared(NamedTuple):
    """What preparation gives: the task, the two splits, and what the simplest guess reaches."""

    task: Task
    train: Examples
    validation: Examples
    baseline: Baseline
    places: NDArray[np.int64] | None = None
    """Where the training examples stand in the data, in their order: rows, texts or pictures. Of a
    text, the lines that train."""


def _any_data(facts: object, options: object) -> bool:
    del facts, options
    return True


def _not_counted(facts: object, options: object) -> int:
    del facts, options
    return 0


@dataclass(frozen=True, kw_only=True)
class TaskKind(Generic[OptionsT]):
    """One kind of task.

    `shape(facts, options)` tells the shape without the data, for plans (for text an upper bound if
    options are not the defaults); `steps_per_epoch(facts, options, batch_size)` likewise.
    `suits(facts, options)` says whether this is what a job means that does not name its task.
    `data_bytes(facts, options)` counts what the examples take in memory, beside the stored files.
    """

    name: str
    summary: str
    data: tuple[str, ...]  # the types of facts it learns from: "text", "idx", …
    options: type[OptionsT]
    best_metric: str  # smaller is better if it ends in loss or perplexity
    metrics: tuple[str, ...] = ("val_loss",)  # what `evaluate` returns, all of it
    shape: Callable[[Any, OptionsT], Shape]
    steps_per_epoch: Callable[[Any, OptionsT, int], int]
    prepare: Callable[[Data, OptionsT], Prepared]
    restore: Callable[[bytes], Task]
    suits: Callable[[Any, Mapping[str, JsonValue]], bool] = _any_data
    smooths: bool = False  # the loss chooses among classes or words, and knows label smoothing
    data_bytes: Callable[[Any, OptionsT], int] = _not_counted
