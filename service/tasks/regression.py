"""Regression: what number belongs to a row of a table?

The target is standardised by the training rows inside, and told in its own unit outside. The loss
is the mean squared error of the standardised target. The baseline is the training mean; where rows
are a series, the value of the row before (persistence).
"""

# pyright: reportUnknownMemberType=false
# torch leaves from_numpy and tolist untyped.

import json
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, isfinite, sqrt
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from service.datasets.base import TableData
from service.domain.base import Outgoing
from service.domain.datasets import TableFacts
from service.domain.evaluations import Evaluation
from service.domain.jobs import Baseline
from service.domain.predictions import Input, Prediction
from service.domain.problems import invalid_field
from service.domain.shapes import Axis, TableShape
from service.tasks.base import Batch, Encoded, Prepared, TaskKind
from service.tasks.evaluating import ValueEvidence
from service.tasks.table_columns import Chosen, asks_for_a_number, choose, find_target
from service.tasks.table_features import Features, Numbers, fit, measure, restored, widths
from service.tasks.table_inputs import encode_rows
from service.tasks.table_options import TableOptions
from service.tasks.table_rows import TableExamples, data_bytes, divide, take, training_rows


class RegressionOptions(TableOptions):
    """What can be chosen about the rows of a regression."""

    non_negative: bool = Field(
        default=False,
        description="Answer 0 where the model says less: answers and metrics are cut off at 0, "
        "the loss in training is not.",
    )


class Target(Outgoing):
    """The column that is told, and how it is standardised."""

    column: str
    unit: str | None
    mean: float
    deviation: float
    non_negative: bool

    def inside(self, values: Numbers) -> Numbers:
        """Standardise."""
        return (values - self.mean) / self.deviation

    def outside(self, outputs: Tensor) -> Tensor:
        """Return what a model says, in the unit of the target, as float64."""
        values = outputs.double() * self.deviation + self.mean
        return values.clamp(min=0) if self.non_negative else values


class Regression:
    """The task with everything that its rows fixed."""

    def __init__(self, features: Features, target: Target, *, series: bool) -> None:
        self._features = features
        self._target = target
        self._series = series

    @property
    def shape(self) -> TableShape:
        """Numbers and categories in, one standardised value out."""
        return self._features.shape(1)

    @property
    def names(self) -> Mapping[Axis, Sequence[str]]:
        """The numbers of a row, the values of its categories, and the target."""
        return self._features.names([self._target.column])

    def preparation(self) -> bytes:
        """Return features and target as JSON."""
        prepared = {
            **self._features.model_dump(),
            "target": self._target.model_dump(),
            "series": self._series,
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
        """Return the mean squared error of the standardised target."""
        del carry, label_smoothing  # numbers have no labels
        return functional.mse_loss(_outputs(model, batch.inputs), batch.targets), None

    def evaluate(self, model: nn.Module, batches: Iterator[Batch]) -> dict[str, float]:
        """Return the loss and, in the unit of the target, MAE, RMSE and R²."""
        losses, values, targets = list[Tensor](), list[Tensor](), list[Tensor]()
        with torch.inference_mode():
            for batch in batches:
                outputs = _outputs(model, batch.inputs)
                losses.append(functional.mse_loss(outputs, batch.targets, reduction="none"))
                values.append(self._target.outside(outputs))
                targets.append(self._true(batch))
        metrics = _metrics(_numbers(values), _numbers(targets))
        return {"val_loss": float(_numbers(losses).mean()), **metrics}

    def assess(self, model: nn.Module, batches: Iterator[Batch]) -> Evaluation:
        """Tell what a trained model is worth."""
        evidence = ValueEvidence(series=self._series)
        with torch.inference_mode():
            for batch in batches:
                outputs = _outputs(model, batch.inputs)
                losses = functional.mse_loss(outputs, batch.targets, reduction="none")
                evidence.add(self._target.outside(outputs), self._true(batch), losses)
        return evidence.evaluation()

    def encode(self, inputs: Sequence[Input]) -> Encoded:
        """Make rows of what a client sent."""
        return encode_rows(inputs, self._features, self._target.column)

    def infer(self, model: nn.Module, encoded: Encoded) -> Tensor:
        """Return the values (input,) in the unit of the target."""
        device = next(model.parameters()).device
        with torch.inference_mode():
            return self._target.outside(_outputs(model, encoded.tensor.to(device))).cpu()

    def decode(
        self, logits: Tensor, encoded: Encoded, *, top_k: int, special_tokens: bool
    ) -> list[Prediction]:
        """Tell each value and its unit."""
        del top_k, special_tokens  # there is one value
        values = cast("list[float]", logits.tolist())
        return [
            Prediction(value=value, unit=self._target.unit, warnings=warnings)
            if isfinite(value)
            else Prediction(warnings=[*warnings, "the model's answer is not finite"])
            for value, warnings in zip(values, encoded.warnings, strict=True)
        ]

    def _true(self, batch: Batch) -> Tensor:
        return batch.targets.double() * self._target.deviation + self._target.mean


def prepare(data: TableData, options: RegressionOptions) -> Prepared:
    """Split the rows and measure the columns."""
    chosen = _choose(data.facts, options)
    sides = divide(data, chosen, options)
    values = np.asarray(data.columns[chosen.target.name], dtype=np.float64)
    features = fit(chosen, take(data, chosen, sides.train))
    mean, deviation, _, _ = measure(values[sides.train])
    if not deviation:
        detail = "has one value only in the rows that train: there is nothing to learn"
        raise invalid_field("/dataset/target", detail)
    target = Target(
        column=chosen.target.name,
        unit=chosen.target.unit,
        mean=mean,
        deviation=deviation,
        non_negative=options.non_negative,
    )

    def examples(rows: NDArray[np.int64]) -> TableExamples:
        inside = target.inside(values[rows]).astype(np.float32)
        encoded = features.encode(take(data, chosen, rows))
        return TableExamples(encoded, torch.from_numpy(inside))

    return Prepared(
        Regression(features, target, series=data.facts.series),
        examples(sides.train),
        examples(sides.validation),
        _baseline(values, sides.validation, target, series=data.facts.series),
        sides.train,
    )


def restore(preparation: bytes) -> Regression:
    """Make the task again, as it was prepared."""
    prepared = json.loads(preparation)
    return Regression(
        restored(prepared),
        Target.model_validate(prepared["target"]),
        series=prepared["series"],
    )


def shape(facts: TableFacts, options: RegressionOptions) -> TableShape:
    """Tell the shape; with missing or rare values it may be smaller. Raises Invalid."""
    numbers, categories = widths(_choose(facts, options))
    return TableShape(numbers=numbers, categories=categories, outputs=1)


def steps_per_epoch(facts: TableFacts, options: RegressionOptions, batch_size: int) -> int:
    """Guess the batches of an epoch."""
    return ceil(training_rows(facts, options) / batch_size)


TASK: TaskKind[RegressionOptions] = TaskKind(
    name="regression",
    summary="Tells a number from the other columns of a row.",
    data=("table",),
    options=RegressionOptions,
    best_metric="val_rmse",
    metrics=("val_loss", "val_mae", "val_rmse", "val_r2"),
    shape=shape,
    steps_per_epoch=steps_per_epoch,
    prepare=cast("Any", prepare),
    restore=restore,
    data_bytes=lambda facts, options: data_bytes(facts, shape(facts, options)),
    suits=asks_for_a_number,
)


def _choose(facts: TableFacts, options: RegressionOptions) -> Chosen:
    target = find_target(facts, options.target)
    if target.kind != "number":
        others = [column.name for column in facts.columns if column.kind == "number"]
        names = f"; columns of numbers: {', '.join(others[:20])}" if others else ""
        detail = f"holds no numbers but is a {target.kind}: use the task classification{names}"
        raise invalid_field("/dataset/target", detail)
    return choose(facts, options)


def _outputs(model: nn.Module, rows: Tensor) -> Tensor:
    return cast("Tensor", model(rows)).squeeze(-1)


def _numbers(parts: Sequence[Tensor]) -> Numbers:
    return torch.cat([part.double().cpu() for part in parts]).numpy()


def _metrics(values: Numbers, targets: Numbers) -> dict[str, float]:
    errors = values - targets
    squares = float((errors**2).mean())
    spread = float(((targets - targets.mean()) ** 2).mean())
    return {
        "val_mae": float(np.abs(errors).mean()),
        "val_rmse": sqrt(squares) if isfinite(squares) else squares,
        "val_r2": 1 - squares / spread if spread else 0.0,
    }


def _baseline(
    values: Numbers, validation: NDArray[np.int64], target: Target, *, series: bool
) -> Baseline:
    true = values[validation]
    guesses = np.full(len(true), target.mean)
    if series:
        before = np.concatenate([[target.mean], values[:-1]])[validation]
        guesses = np.where(np.isnan(before), target.mean, before)
    loss = float(((target.inside(guesses) - target.inside(true)) ** 2).mean())
    name = "persistence" if series else "mean"
    return Baseline(name=name, metrics={"val_loss": loss, **_metrics(guesses, true)})
