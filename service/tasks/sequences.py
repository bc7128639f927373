"""Words as batches: lines, each from the initial state; or one stream, whose state is carried on.

Inputs are the targets moved by one: `<eos>` goes in first, `<eos>` comes out last. Places without a
target are -100, which the loss ignores.
"""

# pyright: reportUnknownMemberType=false
# torch leaves from_numpy untyped.

from collections.abc import Iterator
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.datasets.words import END_INDEX
from service.tasks.base import Batch
from service.tasks.order import EpochOrder

IGNORED = -100


class LineExamples:
    """Lines cut into pieces of at most `sequence_length`, shuffled every epoch, padded by batch.

    `targets` holds the lines one after the other, each with its `<eos>`; `lengths` tells where.
    """

    def __init__(
        self, targets: NDArray[np.int64], lengths: NDArray[np.int64], sequence_length: int
    ) -> None:
        ends: NDArray[np.int64] = np.cumsum(lengths)
        inputs = np.roll(targets, 1)  # before the first word of a line stands an <eos>
        inputs[:1] = END_INDEX
        counts = -(-lengths // sequence_length)
        before: NDArray[np.int64] = np.cumsum(counts) - counts  # pieces of the lines before
        within = np.arange(int(counts.sum()), dtype=np.int64) - np.repeat(before, counts)
        starts = np.repeat(ends - lengths, counts) + within * sequence_length
        sizes = np.minimum(sequence_length, np.repeat(ends, counts) - starts)
        self.targets = torch.from_numpy(targets.astype(np.int32))
        self.longest = int(lengths.max(initial=1)) - 1
        """Words of the longest line, which has its `<eos>` beside them."""
        self._inputs = torch.from_numpy(inputs.astype(np.int32))
        self._starts = torch.from_numpy(starts)
        self._sizes = torch.from_numpy(sizes)
        self._order = EpochOrder(len(starts))

    def steps_per_epoch(self, batch_size: int) -> int:
        """Count the batches of one epoch."""
        return ceil(len(self._starts) / batch_size)

    def batch(self, *, epoch: int, position: int, batch_size: int, seed: int) -> Batch:
        """Make batch `position` of an epoch."""
        order = self._order
        return self._make(
            order.batch(epoch=epoch, position=position, batch_size=batch_size, seed=seed)
        )

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Iterate over all pieces as they stand in the text."""
        for chosen in torch.split(torch.arange(len(self._starts)), batch_size):
            yield self._make(chosen)

    def _make(self, chosen: Tensor) -> Batch:
        sizes = self._sizes[chosen]
        columns = torch.arange(int(sizes.max()))
        exists = columns < sizes[:, None]
        places = (self._starts[chosen, None] + columns).clamp_(max=len(self.targets) - 1)
        inputs = self._inputs[places].long().masked_fill_(~exists, END_INDEX)
        targets = self.targets[places].long().masked_fill_(~exists, IGNORED)
        return Batch(inputs, targets, int(sizes.sum()))


class StreamExamples:
    """Running text as `batch_size` parallel rows, read in windows of `sequence_length` words.

    The order is that of the text, in every epoch; `first_input` is the word before the first.
    """

    def __init__(
        self, targets: NDArray[np.int64], *, first_input: int, sequence_length: int
    ) -> None:
        self.targets = torch.from_numpy(targets)
        self._inputs = torch.cat([torch.tensor([first_input]), self.targets[:-1]])
        self.longest: int | None = None
        """It has no lines."""
        self._sequence_length = sequence_length
        self._laid_out_for: int | None = None
        self._rows = (self._inputs, self.targets)

    def steps_per_epoch(self, batch_size: int) -> int:
        """Count the windows of one row."""
        return ceil(ceil(len(self.targets) / batch_size) / self._sequence_length)

    def batch(self, *, epoch: int, position: int, batch_size: int, seed: int) -> Batch:
        """Make window `position`; row r of it goes on where row r of the one before ended."""
        del epoch, seed  # the text has one order
        inputs, targets = self._lay_out(batch_size)
        window = slice(position * self._sequence_length, (position + 1) * self._sequence_length)
        expected = targets[:, window]
        weight = int((expected != IGNORED).sum())
        return Batch(inputs[:, window].contiguous(), expected.contiguous(), weight)

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Iterate over all windows."""
        for position in range(self.steps_per_epoch(batch_size)):
            yield self.batch(epoch=0, position=position, batch_size=batch_size, seed=0)

    def _lay_out(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Cut the text into rows of equal length; the last is filled up."""
        if self._laid_out_for != batch_size:
            length = ceil(len(self.targets) / batch_size)
            rows = ceil(len(self.targets) / length)
            missing = rows * length - len(self.targets)
            self._rows = (
                _filled_up(self._inputs, missing, END_INDEX).view(rows, length),
                _filled_up(self.targets, missing, IGNORED).view(rows, length),
            )
            self._laid_out_for = batch_size
        return self._rows


def _filled_up(values: Tensor, missing: int, filler: int) -> Tensor:
    return torch.nn.functional.pad(values, (0, missing), value=filler)
