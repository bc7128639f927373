"""Evidence of what a model is worth: tasks add batches to it, and it makes the evaluation.

It keeps a few numbers per example and a bounded sample of logits, never all logits. Metrics that
are no numbers are left out.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from service.domain.evaluations import ClassReport, Confusion, Evaluation
from service.tasks.calibrating import LogitSample
from service.tasks.intervals import Numbers, Statistic, bootstrap, bootstrap_counts, wilson

MAX_CLASSES = 50
"""More have no confusion matrix and no reports."""
QUANTILES = (50, 75, 90, 95, 99, 100)


class ClassEvidence:
    """Of examples that each belong to one class."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._losses: list[Tensor] = []
        self._targets: list[NDArray[np.int64]] = []
        self._guesses: list[NDArray[np.int64]] = []
        self._sample = LogitSample()

    def add(self, logits: Tensor, targets: Tensor) -> None:
        """Take logits (examples, classes) and classes (examples,)."""
        self._losses.append(functional.cross_entropy(logits, targets, reduction="none"))
        places = _whole(targets)
        self._targets.append(places)
        self._guesses.append(_whole(logits.argmax(dim=-1)))
        self._sample.add(logits, places)

    def evaluation(self) -> Evaluation:
        """Tell loss, accuracy, macro F1 (up to 50 classes), confusion and calibration."""
        if not self._targets:
            return Evaluation(examples=0)
        targets, guesses = np.concatenate(self._targets), np.concatenate(self._guesses)
        count = len(targets)
        losses = np.stack([np.ones(count), _double(self._losses)], axis=1)
        intervals = bootstrap(losses, {"val_loss": _mean})
        intervals["val_accuracy"] = wilson(int((targets == guesses).sum()), count)
        evaluation = Evaluation(
            examples=count, intervals=intervals, calibration=self._sample.calibration()
        )
        size = len(self._labels)
        if size > MAX_CLASSES:
            return evaluation
        table = np.bincount(targets * size + guesses, minlength=size * size)
        return self._by_class(evaluation, table.reshape(size, size))

    def _by_class(self, evaluation: Evaluation, table: NDArray[np.int64]) -> Evaluation:
        """Add what is told of each class; of one that no example is of there is nothing to say."""
        right, are, called = np.diag(table), table.sum(axis=1), table.sum(axis=0)
        macro, *of_class = bootstrap_counts(table.reshape(-1), _f1_scores)
        reports = [
            ClassReport(
                label=label,
                examples=int(are[place]),
                precision=float(right[place] / called[place]) if called[place] else None,
                recall=float(right[place] / are[place]),
                f1=float(2 * right[place] / (called[place] + are[place])),
                f1_interval=of_class[place],
            )
            for place, label in enumerate(self._labels)
            if are[place]
        ]
        return evaluation.model_copy(
            update={
                "intervals": evaluation.intervals | ({"val_f1": macro} if macro else {}),
                "confusion": Confusion(labels=list(self._labels), counts=table.tolist()),
                "classes": reports,
            }
        )


class WordEvidence:
    """Of words that follow each other: they are drawn anew by whole rows, never one by one."""

    def __init__(self, ignored: int) -> None:
        self._ignored = ignored
        self._rows: list[Tensor] = []
        self._sample = LogitSample()

    def add(self, logits: Tensor, targets: Tensor) -> None:
        """Take logits (rows, time, vocabulary) and words (rows, time)."""
        exists = targets != self._ignored
        losses = functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=self._ignored, reduction="none"
        ).view_as(targets)
        right = logits.argmax(dim=-1) == targets
        self._rows.append(
            torch.stack([each.double().sum(dim=1) for each in (exists, losses, right)], dim=1)
        )
        there = exists.flatten().nonzero()[:, 0]
        self._sample.add(
            logits.flatten(0, 1)[there] if len(there) < exists.numel() else logits.flatten(0, 1),
            _whole(targets.flatten()[there]),
        )

    def evaluation(self) -> Evaluation:
        """Tell loss per word, perplexity, accuracy and calibration."""
        rows = np.zeros((0, 3)) if not self._rows else torch.cat(self._rows).cpu().numpy()
        count = int(rows[:, 0].sum())
        if not count:
            return Evaluation(examples=0)
        intervals = bootstrap(
            rows,
            {
                "val_loss": _mean,
                "val_perplexity": lambda sums: np.exp(_mean(sums)),
                "val_accuracy": lambda sums: sums[:, 2] / sums[:, 0],
            },
        )
        return Evaluation(
            examples=count, intervals=intervals, calibration=self._sample.calibration()
        )


class ValueEvidence:
    """Of numbers that are guessed, in the unit of the target; `series`: neighbours are alike."""

    def __init__(self, *, series: bool = False) -> None:
        self._series = series
        self._values: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._losses: list[Tensor] = []

    def add(self, values: Tensor, targets: Tensor, losses: Tensor | None = None) -> None:
        """Take guesses and true values (examples,), and the losses that training minimises."""
        self._values.append(values)
        self._targets.append(targets)
        if losses is not None:
            self._losses.append(losses)

    def evaluation(self) -> Evaluation:
        """Tell MAE, RMSE, R² and the quantiles of the absolute error."""
        if not self._values:
            return Evaluation(examples=0)
        targets = _double(self._targets)
        errors = np.abs(_double(self._values) - targets)
        centred = targets - targets.mean()  # what is subtracted from R² stays exact
        ones = np.ones(len(errors))
        sums = np.stack([ones, errors, errors**2, centred, centred**2], axis=1)

        statistics: dict[str, Statistic] = {
            "val_mae": _mean,
            "val_rmse": lambda sums: np.sqrt(sums[:, 2] / sums[:, 0]),
            "val_r2": lambda sums: 1 - sums[:, 2] / (sums[:, 4] - sums[:, 3] ** 2 / sums[:, 0]),
        }
        intervals = bootstrap(sums, statistics, in_order=self._series)
        if self._losses:
            losses = np.stack([ones, _double(self._losses)], axis=1)
            intervals |= bootstrap(losses, {"val_loss": _mean}, in_order=self._series)
        return Evaluation(
            examples=len(errors), intervals=intervals, error_quantiles=_quantiles(errors)
        )


def _quantiles(errors: Numbers) -> dict[str, float]:
    if not np.isfinite(errors).all():
        return {}
    values = np.percentile(errors, QUANTILES)
    return {str(percent): float(each) for percent, each in zip(QUANTILES, values, strict=True)}


def _mean(sums: Numbers) -> Numbers:
    """Divide the second sum by the first, which counts."""
    return sums[:, 1] / sums[:, 0]


def _f1_scores(tables: Numbers) -> Numbers:
    """Return (tables, 1 + classes): macro F1, then that of each class; NaN where there is none."""
    size = math.isqrt(tables.shape[1])
    square = tables.reshape(len(tables), size, size)
    right = np.diagonal(square, axis1=1, axis2=2)
    either = square.sum(axis=1) + square.sum(axis=2)
    scores = 2 * right / either  # 0/0 is NaN: a class that is neither there nor named
    return np.column_stack([np.nanmean(scores, axis=1), scores])


def _whole(tensor: Tensor) -> NDArray[np.int64]:
    return tensor.cpu().numpy().astype(np.int64)


def _double(parts: Sequence[Tensor]) -> Numbers:
    return torch.cat([part.double().cpu() for part in parts]).numpy()
