"""What the doctor reads an illness from, and what it says of one: plain numbers and words."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import JsonValue

from service.domain.findings import FindingCode


class Course(NamedTuple):
    """What a job's losses have been, to the end of an epoch; losses by epoch, the newest last.

    `constant_loss` is the validation loss of the best answer that is the same for all inputs.
    `update` is by what part of themselves the weights change in a step; None where not looked at.
    `lost` is what part is gone of that by which the best model so far was better than the baseline.
    """

    epochs: int
    planned: int
    last: bool
    complete: bool
    first_loss: float
    train_losses: Sequence[float]
    val_losses: Sequence[float]
    lowest: float
    train_loss_at_lowest: float
    epochs_since_lowest: int
    constant_loss: float | None
    lr: float
    peak_lr: float
    base_lr: float
    update: float | None = None
    lost: float | None = None

    @property
    def is_late(self) -> bool:
        """Whether there were three epochs, half of the run, and the learning rate at its height."""
        half = self.last or 2 * self.epochs >= self.planned
        return self.epochs >= 3 and half and self.peak_lr >= 0.9 * self.base_lr

    def is_better_than(self, share: float) -> bool:
        """Whether the validation loss is below this share of that of the best constant answer."""
        return self.constant_loss is None or self.val_losses[-1] < share * self.constant_loss


class Symptom(NamedTuple):
    """An illness that was seen. `seen` is the first half of a sentence; what to try follows."""

    code: FindingCode
    seen: str
    evidence: dict[str, JsonValue]
    layer: str | None = None
