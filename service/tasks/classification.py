"""Classification of rows of a table: which class does a row belong to?

Classes are the values of a category, or of a column of few numbers. The baseline always guesses the
class that training has most often.
"""

# pyright: reportUnknownMemberType=false
# torch leaves from_numpy untyped.

import json
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from service.datasets.base import TableData
from service.domain.datasets import TableFacts
from service.domain.evaluations import Evaluation
from service.domain.jobs import Baseline
from service.domain.predictions import Input, Prediction
from service.domain.problems import invalid_field
from service.domain.shapes import Axis, TableShape
from service.tasks.base import Batch, Encoded, Prepared, TaskKind
from service.tasks.classes import cross_entropy, loss_and_accuracy, name_classes
from service.tasks.evaluating import ClassEvidence
from service.tasks.table_columns import MAX_CLASSES, Chosen, asks_for_a_number, choose, find_target
from service.tasks.table_features import Features, Values, fit, restored, widths
from service.tasks.table_inputs import encode_rows
from service.tasks.table_options import TableOptions
from service.tasks.table_rows import (
    TableExamples,
    data_bytes,
    divide,
    is_missing,
    take,
    training_rows,
)


class ClassificationOptions(TableOptions):
    """What can be chosen about the rows of a classification."""

    class_weights: Literal["none", "balanced"] = Field(
        default="none",
        description="balanced: in training an example counts the more, the rarer its class is; "
        "metrics are not weighted.",
    )


class Classification:
    """The task with everything that its rows fixed."""

    def __init__(
        self,
        features: Features,
        target: str,
        classes: list[str],
        weights: list[float] | None,
    ) -> None:
        self._features = features
        self._target = target
        self._classes = classes
        self._weights = weights

    @property
    def shape(self) -> TableShape:
        """Numbers and categories in, a logit for each class out."""
        return self._features.shape(len(self._classes))

    @property
    def names(self) -> Mapping[Axis, Sequence[str]]:
        """The numbers of a row, the values of its categories, and the classes."""
        return self._features.names(self._classes)

    def preparation(self) -> bytes:
        """Return features, classes and their weights as JSON."""
        prepared = {
            **self._features.model_dump(),
            "target": self._target,
            "classes": self._classes,
            "weights": self._weights,
        }
        return json.dumps(prepared, ensure_ascii=False, sort_keys=True).encode()

    def loss(
        self,
        model: nn.Module,
        batch: Batch,
        carry: Tensor | None,
        *,
        label_smoothing: float = 0.0,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the mean cross-entropy over the rows, weighted if asked; there is no state."""
        del carry
        logits = model(batch.inputs)
        smoothed = cross_entropy(
            logits, batch.targets, self._weights, label_smoothing=label_smoothing
        )
        return smoothed, None

    def evaluate(self, model: nn.Module, batches: Iterator[Batch]) -> dict[str, float]:
        """Return the mean loss and the share of right answers."""
        with torch.inference_mode():
            answers = ((model(batch.inputs), batch.targets) for batch in batches)
            return loss_and_accuracy(answers)

    def assess(self, model: nn.Module, batches: Iterator[Batch]) -> Evaluation:
        """Tell what a trained model is worth."""
        evidence = ClassEvidence(self._classes)
        with torch.inference_mode():
            for batch in batches:
                evidence.add(cast("Tensor", model(batch.inputs)), batch.targets)
        return evidence.evaluation()

    def encode(self, inputs: Sequence[Input]) -> Encoded:
        """Make rows of what a client sent."""
        return encode_rows(inputs, self._features, self._target)

    def infer(self, model: nn.Module, encoded: Encoded) -> Tensor:
        """Return the logits (input, classes)."""
        device = next(model.parameters()).device
        with torch.inference_mode():
            return cast("Tensor", model(encoded.tensor.to(device))).float().cpu()

    def decode(
        self, logits: Tensor, encoded: Encoded, *, top_k: int, special_tokens: bool
    ) -> list[Prediction]:
        """Name the most probable classes."""
        del special_tokens  # classes have none
        return name_classes(logits, encoded, self._classes, top_k=top_k)


def prepare(data: TableData, options: ClassificationOptions) -> Prepared:
    """Split the rows and measure the columns."""
    chosen = _choose(data.facts, options)
    classes, labels = _labels(data.columns[chosen.target.name])
    sides = divide(data, chosen, options, labels[labels >= 0])
    features = fit(chosen, take(data, chosen, sides.train))
    counts = np.bincount(labels[sides.train], minlength=len(classes))
    weights = _weights(counts) if options.class_weights == "balanced" else None

    def examples(rows: NDArray[np.int64]) -> TableExamples:
        encoded = features.encode(take(data, chosen, rows))
        return TableExamples(encoded, torch.from_numpy(labels[rows]))

    accuracy = float((labels[sides.validation] == counts.argmax()).mean())
    return Prepared(
        Classification(features, chosen.target.name, classes, weights),
        examples(sides.train),
        examples(sides.validation),
        Baseline(name="majority_class", metrics={"val_accuracy": accuracy}),
        sides.train,
    )


def restore(preparation: bytes) -> Classification:
    """Make the task again, as it was prepared."""
    prepared = json.loads(preparation)
    return Classification(
        restored(prepared),
        prepared["target"],
        prepared["classes"],
        prepared["weights"],
    )


def shape(facts: TableFacts, options: ClassificationOptions) -> TableShape:
    """Tell the shape; with missing or rare values it may be smaller. Raises Invalid."""
    chosen = _choose(facts, options)
    numbers, categories = widths(chosen)
    return TableShape(numbers=numbers, categories=categories, outputs=chosen.target.distinct)


def steps_per_epoch(facts: TableFacts, options: ClassificationOptions, batch_size: int) -> int:
    """Guess the batches of an epoch."""
    return ceil(training_rows(facts, options) / batch_size)


TASK: TaskKind[ClassificationOptions] = TaskKind(
    name="classification",
    summary="Tells the class of a row from its other columns.",
    data=("table",),
    options=ClassificationOptions,
    smooths=True,
    best_metric="val_accuracy",
    metrics=("val_loss", "val_accuracy"),
    shape=shape,
    steps_per_epoch=steps_per_epoch,
    prepare=cast("Any", prepare),
    restore=restore,
    data_bytes=lambda facts, options: data_bytes(facts, shape(facts, options)),
    suits=lambda facts, options: not asks_for_a_number(facts, options),
)


def _choose(facts: TableFacts, options: ClassificationOptions) -> Chosen:
    target = find_target(facts, options.target)
    wrong = f"is a {target.kind}" if target.kind in {"text", "date"} else None
    if target.distinct > MAX_CLASSES:
        wrong = f"has {target.distinct:,} different values"
    if wrong is not None:
        hint = "; for a number use the task regression" if target.kind == "number" else ""
        detail = f"{wrong}, which is no class of at most {MAX_CLASSES:,}{hint}"
        raise invalid_field("/dataset/target", detail)
    return choose(facts, options)


def _labels(values: Values) -> tuple[list[str], NDArray[np.int64]]:
    """Return the classes in order, and the place of each row's class; -1 where it has none."""
    labels = np.full(len(values), -1, dtype=np.int64)
    there = ~is_missing(values)
    if isinstance(values, np.ndarray):
        found, labels[there] = np.unique(values[there], return_inverse=True)
        return [
            f"{value:.0f}" if value.is_integer() else repr(value) for value in found.tolist()
        ], labels
    # Not by NumPy: every text would take the room of the longest.
    names = sorted({value for value in values if value is not None})
    numbers = {name: number for number, name in enumerate(names)}
    labels[there] = [numbers[value] for value in values if value is not None]
    return names, labels


def _weights(counts: NDArray[np.int64]) -> list[float]:
    """Weigh classes so that each has an equal part; the mean over the training rows is 1."""
    there = np.count_nonzero(counts)
    return [counts.sum() / (there * count) if count else 0.0 for count in counts.tolist()]
