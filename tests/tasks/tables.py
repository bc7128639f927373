"""Tables as an upload would give them, and models of rows whose answers are known."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from service.datasets.base import TableData
from service.domain.datasets import Column, ColumnKind, CsvFormat, TableFacts

Cells = Sequence[float | str | None]
FORMAT = CsvFormat(encoding="utf-8", delimiter=",", quoting=True, header=True, missing=["", "NA"])
WEATHER: Mapping[str, Cells] = {
    "hour": [number % 24 for number in range(48)],
    "sky": [("clear", "cloudy", "rain")[number % 3] for number in range(48)],
    "day": [f"2026-0{1 + number // 12}-{1 + number % 12:02}" for number in range(48)],
    "wind": [None if number % 5 == 0 else number / 2 for number in range(48)],
    "power": [number % 24 * 2 + number / 100 for number in range(48)],
}


def a_table(
    columns: Mapping[str, Cells] | None = None,
    *,
    target: str = "power",
    kinds: Mapping[str, ColumnKind] | None = None,
    units: Mapping[str, str] | None = None,
    held_out: Sequence[bool] | None = None,
    series: bool = False,
) -> TableData:
    """Make a table; columns are what their cells are, `day` is a date."""
    cells = WEATHER if columns is None else columns
    given = {"day": "date", **(kinds or {})}
    facts = TableFacts(
        format=FORMAT,
        columns=[_column(name, values, given, units or {}) for name, values in cells.items()],
        rows=len(next(iter(cells.values()))),
        test_rows=sum(held_out or []),
        target=target,
        series=series,
    )
    return TableData(
        facts=facts,
        columns={name: _values(values) for name, values in cells.items()},
        held_out=None if held_out is None else np.array(held_out),
    )


class Linear(nn.Module):
    """A model of rows that says the weighted sum of the numbers, `weights` (outputs, numbers)."""

    def __init__(self, weights: Sequence[Sequence[float]]) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.weights = nn.Parameter(torch.tensor(weights))

    def forward(self, rows: Tensor) -> Tensor:
        return rows @ self.weights.t()


def _values(cells: Cells) -> "np.ndarray[tuple[int], np.dtype[np.float64]] | list[str | None]":
    if any(isinstance(cell, str) for cell in cells):
        return [None if cell is None else str(cell) for cell in cells]
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)


def _column(name: str, cells: Cells, kinds: Mapping[str, str], units: Mapping[str, str]) -> Column:
    there = [cell for cell in cells if cell is not None]
    numbers = [float(cell) for cell in there if not isinstance(cell, str)]
    kind = kinds.get(name, "number" if len(numbers) == len(there) else "category")
    return Column.model_validate(
        {
            "name": name,
            "kind": kind,
            "missing": len(cells) - len(there),
            "distinct": len(set(there)),
            "minimum": min(numbers) if numbers and kind == "number" else None,
            "maximum": max(numbers) if numbers and kind == "number" else None,
            "values": sorted(map(str, set(there))) if kind == "category" else [],
            "unit": units.get(name),
        }
    )
