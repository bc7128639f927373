"""Rows of a table: which of them count, which validate, and how they come in batches."""

# pyright: reportUnknownMemberType=false
# torch leaves from_numpy untyped.

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.datasets import splits
from service.datasets.base import TableData
from service.domain.datasets import TableFacts
from service.domain.problems import invalid_field
from service.domain.shapes import TableShape
from service.tasks.base import Batch
from service.tasks.order import EpochOrder
from service.tasks.table_columns import Chosen
from service.tasks.table_features import Values
from service.tasks.table_options import TableOptions


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The places of the rows that train and of those that validate, in the order of the file."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]


class TableExamples:
    """Rows (count, numbers + categories) of float32, and their targets (count,)."""

    def __init__(self, rows: NDArray[np.float32], targets: Tensor) -> None:
        self._rows = torch.from_numpy(rows)
        self._targets = targets
        self._order = EpochOrder(len(targets))

    def steps_per_epoch(self, batch_size: int) -> int:
        """Count the batches of one epoch."""
        return ceil(len(self._targets) / batch_size)

    def batch(self, *, epoch: int, position: int, batch_size: int, seed: int) -> Batch:
        """Make batch `position` of an epoch."""
        chosen = self._order.batch(epoch=epoch, position=position, batch_size=batch_size, seed=seed)
        return Batch(self._rows[chosen], self._targets[chosen], len(chosen))

    def at(self, chosen: Tensor) -> Batch:
        """Make a batch of these rows."""
        return Batch(self._rows[chosen], self._targets[chosen], len(chosen))

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Iterate over all rows as they stand in the file."""
        for first in range(0, len(self._targets), batch_size):
            targets = self._targets[first : first + batch_size]
            yield Batch(self._rows[first : first + batch_size], targets, len(targets))


def divide(
    data: TableData,
    chosen: Chosen,
    options: TableOptions,
    classes: NDArray[np.int64] | None = None,
) -> Sides:
    """Choose the rows that train and validate; those without a target do neither.

    Given `classes` (of the rows with a target), each gives its part. Raises Invalid where a side
    has no row.
    """
    there = np.flatnonzero(~is_missing(data.columns[chosen.target.name]))
    used = [*(column.name for column in chosen.features), chosen.target.name]
    keys = _keys([data.columns[name] for name in used], there)
    validates = _validating(data, chosen, options, there, keys, classes)
    if options.deduplicate:
        kept = _first_of_each(keys, validates)
        there, validates = there[kept], validates[kept]
    sides = Sides(train=there[~validates], validation=there[validates])
    if not len(sides.train) or not len(sides.validation):
        detail = "leaves no row to train on or none to validate; choose another split"
        raise invalid_field("/dataset/validation_fraction", detail)
    return sides


def training_rows(facts: TableFacts, options: TableOptions) -> int:
    """Guess how many rows train: exactly, unless rows repeat, lack the target or are in groups."""
    held_out = facts.test_rows or splits.held_out(facts.rows, options.validation_fraction)
    return max(1, facts.rows - held_out)


def data_bytes(facts: TableFacts, shape: TableShape) -> int:
    """Count the bytes of all rows as they are read, in float64, and as features, in float32."""
    return facts.rows * (8 * len(facts.columns) + 4 * (shape.numbers + len(shape.categories)))


def take(data: TableData, chosen: Chosen, rows: NDArray[np.int64]) -> dict[str, Values]:
    """Return the features of some rows."""
    return {column.name: _take(data.columns[column.name], rows) for column in chosen.features}


def is_missing(values: Values) -> NDArray[np.bool_]:
    """Mark the rows that have no value."""
    if isinstance(values, np.ndarray):
        return np.isnan(values)
    return np.array([value is None for value in values], dtype=np.bool_)


def _validating(
    data: TableData,
    chosen: Chosen,
    options: TableOptions,
    there: NDArray[np.int64],
    keys: list[bytes],
    classes: NDArray[np.int64] | None,
) -> NDArray[np.bool_]:
    fraction = options.validation_fraction
    if data.held_out is not None:
        return data.held_out[there]
    if chosen.group is not None:
        groups = _take(data.columns[chosen.group], there)
        return splits.by_group((str(value) for value in groups), fraction)
    if data.facts.series:
        return splits.last_part(len(there), fraction)
    if classes is not None:
        return splits.stratified(classes, keys, fraction)
    return splits.by_key(keys, fraction)


def _take(values: Values, rows: NDArray[np.int64]) -> Values:
    if isinstance(values, np.ndarray):
        return values[rows]
    places: list[int] = rows.tolist()
    return [values[place] for place in places]


def _keys(columns: list[Values], rows: NDArray[np.int64]) -> list[bytes]:
    """Return what rows are known by: equal bytes for equal values, whatever the other rows are."""
    numbered = [_number(_take(values, rows)) for values in columns]
    table: NDArray[np.uint64] = np.stack(numbered, axis=1)
    content, width = table.tobytes(), table.itemsize * table.shape[1]
    return [content[first : first + width] for first in range(0, len(content), width)]


def _number(values: Values) -> NDArray[np.uint64]:
    if isinstance(values, np.ndarray):
        plain = np.where(np.isnan(values), np.nan, values) + 0.0  # one NaN, and no -0
        return plain.astype("<f8").view("<u8").astype(np.uint64)
    known: Mapping[str | None, int] = {
        value: int.from_bytes(hashlib.sha256(repr(value).encode()).digest()[:8])
        for value in set(values)
    }
    return np.array([known[value] for value in values], dtype=np.uint64)


def _first_of_each(keys: list[bytes], validates: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark one row of each key: the first that validates, else the first."""
    kept = np.zeros(len(keys), dtype=np.bool_)
    seen: set[bytes] = set()
    for side in (True, False):
        for row in np.flatnonzero(validates == side).tolist():
            if keys[row] not in seen:
                seen.add(keys[row])
                kept[row] = True
    return kept
