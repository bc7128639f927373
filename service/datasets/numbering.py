"""Words of long texts as numbers, quickly: what stands between two spaces is cut into words once.

The same few thousand pieces come again and again. polars finds the different ones on all cores;
only those are cut by the rule of `words`, which never looks over a space.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Cut = Callable[[str], Sequence[int]]
"""Gives the numbers of a piece's words."""


def numbered(lines: Sequence[str], cut: Cut) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the numbers of all words of one or more lines, in a row, and each line's length.

    Pieces are given to `cut` in the order of their first appearance.
    """
    pieces_of_line = pl.Series(lines, dtype=pl.String).str.split(" ")
    pieces = pieces_of_line.list.explode()
    codes, firsts = _codes(pieces)
    words = [cut(piece) for piece in pieces.gather(firsts).to_list()]
    numbers = np.fromiter(chain.from_iterable(words), dtype=np.int32)
    counts = np.fromiter(map(len, words), dtype=np.int32)

    lengths = counts[codes]
    begins = _begins(counts)[codes] - _begins(lengths)
    places = np.repeat(begins, lengths)
    places += np.arange(len(places), dtype=np.int32)
    pieces_per_line = pieces_of_line.list.len().to_numpy()
    return numbers[places], np.add.reduceat(lengths, _begins(pieces_per_line))


def _begins(lengths: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Return where each of several things begins that lie one behind the other."""
    return np.cumsum(lengths, dtype=np.int32) - lengths.astype(np.int32)


def _codes(pieces: pl.Series) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Number different pieces by their first appearance; also return where each appears first."""
    category = pl.Categorical(pl.Categories.random())  # of this text alone: numbers without gaps
    given = pieces.cast(category).to_physical().to_numpy()
    first = np.full(int(given.max()) + 1, len(given), dtype=np.int32)
    np.minimum.at(first, given, np.arange(len(given), dtype=np.int32))
    order = np.argsort(first)
    order = order[first[order] < len(given)]
    new = np.empty(len(first), dtype=np.int32)
    new[order] = np.arange(len(order), dtype=np.int32)
    return new[given], first[order]
