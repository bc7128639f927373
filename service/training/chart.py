"""What the doctor remembers of a run: a few numbers that lie in every checkpoint, and no clock.

They are a function of the steps alone, as weights are. What was said already is no part of them: a
job's events tell it.
"""

from dataclasses import dataclass, field

REMEMBERED = 5
"""So many epochs back go the losses."""


@dataclass(kw_only=True)
class Chart:
    """The course of a job's losses; a fork that keeps weights and position goes on with it."""

    epochs: int = 0
    first_loss: float | None = None  # of the first step, before any weight changed
    peak_lr: float = 0.0
    loss_sum: float = 0.0  # of this epoch's training loss, times its weight
    loss_weight: int = 0
    train_losses: list[float] = field(default_factory=list[float])  # by epoch, the newest last
    val_losses: list[float] = field(default_factory=list[float])
    lowest: float | None = None  # the best validation loss
    train_loss_at_lowest: float = 0.0
    epochs_since_lowest: int = 0

    def note_step(self, loss: float, weight: int, lr: float) -> None:
        """Take in what a step saw."""
        if self.first_loss is None:
            self.first_loss = loss
        self.peak_lr = max(self.peak_lr, lr)
        self.loss_sum += loss * weight
        self.loss_weight += weight

    def note_epoch(self, val_loss: float) -> None:
        """Close an epoch; `val_loss` is finite."""
        train_loss = self.loss_sum / max(self.loss_weight, 1)
        self.loss_sum, self.loss_weight = 0.0, 0
        self.epochs += 1
        self.train_losses = [*self.train_losses, train_loss][-REMEMBERED:]
        self.val_losses = [*self.val_losses, val_loss][-REMEMBERED:]
        if self.lowest is None or val_loss < self.lowest:
            self.lowest, self.train_loss_at_lowest = val_loss, train_loss
            self.epochs_since_lowest = 0
        else:
            self.epochs_since_lowest += 1
