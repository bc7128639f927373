"""What the best answer is worth that is the same for all inputs: who is no better learned nothing.

The baseline of a task may be better than that (the value of the hour before), or tell no loss.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import math
from collections.abc import Mapping
from typing import cast

import torch

from service.catalogue import Trainable


class ConstantAnswer:
    """Of the validation data of one run; `labels` are the classes, where there are any."""

    def __init__(self, trainable: Trainable, batch_size: int) -> None:
        self._trainable, self._batch_size = trainable, batch_size
        labels = [*trainable.task.names.get("classes", ())]
        self.labels = labels if len(labels) > 1 else []  # a regression has one output
        self._examples: list[int] | None = None

    def loss(self, metrics: Mapping[str, float]) -> float | None:
        """Return its validation loss; `metrics` are those of any model on the same data."""
        r2 = metrics.get("val_r2", math.nan)
        if math.isfinite(r2) and r2 < 1:
            return metrics["val_loss"] / (1 - r2)
        if self.labels:
            counts = self.examples()
            shares = [count / sum(counts) for count in counts if count]
            return -sum(share * math.log(share) for share in shares)
        return self._trainable.baseline.metrics.get("val_loss")

    def examples(self) -> list[int]:
        """Count the validation examples of each class."""
        if self._examples is None:
            counts = torch.zeros(len(self.labels), dtype=torch.int64)
            for batch in self._trainable.validation.in_order(self._batch_size):
                counts += batch.targets.bincount(minlength=len(counts))
            self._examples = cast("list[int]", counts.tolist())
        return self._examples
