"""Whole texts as rows of tokens: each ends with `<eos>` and is filled up with it."""

# pyright: reportUnknownMemberType=false
# torch leaves from_numpy untyped.

from collections.abc import Iterator, Sequence
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.datasets.words import END_INDEX
from service.tasks.base import Batch
from service.tasks.order import EpochOrder


class TextRows:
    """Texts of several lengths and their labels, shuffled every epoch, filled up by batch.

    `ids` holds the tokens of all texts one after the other; `lengths` tells where they end.
    """

    def __init__(
        self, ids: NDArray[np.int64], lengths: NDArray[np.int64], labels: NDArray[np.int64]
    ) -> None:
        self._ids = torch.from_numpy(np.append(ids, END_INDEX).astype(np.int32))
        self._starts = torch.from_numpy(np.cumsum(lengths) - lengths)
        self._lengths = torch.from_numpy(np.array(lengths))
        self._labels = torch.from_numpy(np.array(labels))
        self._order = EpochOrder(len(labels))
        self.longest = int(lengths.max(initial=0))
        """Tokens of the longest text, as far as it is read."""

    def steps_per_epoch(self, batch_size: int) -> int:
        """Count the batches of one epoch."""
        return ceil(len(self._labels) / batch_size)

    def batch(self, *, epoch: int, position: int, batch_size: int, seed: int) -> Batch:
        """Make batch `position` of an epoch."""
        order = self._order
        return self._make(
            order.batch(epoch=epoch, position=position, batch_size=batch_size, seed=seed)
        )

    def at(self, chosen: Tensor) -> Batch:
        """Make a batch of these texts."""
        return self._make(chosen)

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Iterate over all texts as they stand in the data."""
        for chosen in torch.split(torch.arange(len(self._labels)), batch_size):
            yield self._make(chosen)

    def _make(self, chosen: Tensor) -> Batch:
        lengths = self._lengths[chosen]
        columns = torch.arange(int(lengths.max()) + 1)
        exists = columns < lengths[:, None]
        places = (self._starts[chosen, None] + columns).clamp_(max=len(self._ids) - 1)
        inputs = self._ids[places].long().masked_fill_(~exists, END_INDEX)
        return Batch(inputs, self._labels[chosen], len(chosen))


def filled_up(rows: Sequence[Sequence[int]]) -> Tensor:
    """Make a tensor (rows, longest + 1) of rows without their `<eos>`."""
    longest = max(map(len, rows), default=0) + 1
    padded = [[*row, *[END_INDEX] * (longest - len(row))] for row in rows]
    return torch.tensor(padded, dtype=torch.int64).view(len(rows), longest)
