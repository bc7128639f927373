"""The columns of a file of rows: numbers where nearly all cells are numbers, else trimmed text.

The first megabytes say which columns are numbers; when later cells say otherwise, the file is read
again. So only one piece of it lies in memory as text at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np
import polars as pl

from service.datasets.csv_rows import Lines, Part
from service.datasets.findings import Findings

MOSTLY = 0.05
"""So many of a column's cells may be no numbers, and it is still meant to be one of numbers."""

GREATEST = 1e150
"""No number may be greater: squares of such ones are infinite."""

_FEW = 8
"""In shorter columns one cell that is no number makes the column one of text."""


class Columns(NamedTuple):
    """The good rows: Float64 or String, null where a value is missing."""

    frame: pl.DataFrame
    lines: list[Lines]

    def line(self, row: int) -> int | None:
        """Return the line of a row."""
        for lines in self.lines:
            if row < len(lines):
                return int(lines[row])
            row -= len(lines)
        return None


Reading = Callable[[Findings], Iterator[Part]]
"""Reads a file from its beginning; rows that do not fit go to the findings."""


def read(
    reading: Reading,
    names: Sequence[str],
    *,
    missing: Sequence[str],
    numbers: Mapping[str, bool],
    findings: Findings,
    file: str = "file",
) -> Columns:
    """Read all rows; `numbers` tells of some columns whether they are such, others are judged."""
    known = dict(numbers)
    while True:
        attempt = Findings(skip=findings.skip)
        collector = _Collector(names, missing, known, attempt, file)
        for part in reading(attempt):
            collector.add(part)
        texts = [name for name in collector.not_numbers() if name not in numbers]
        if not texts:
            findings.take(attempt)
            return collector.columns()
        known |= dict.fromkeys(texts, False)


class _Collector:
    def __init__(
        self,
        names: Sequence[str],
        missing: Sequence[str],
        known: dict[str, bool],
        findings: Findings,
        file: str,
    ) -> None:
        self._names = names
        self._missing = missing
        self._missing_numbers = _numbers_among(missing)
        self._numbers = known
        self._findings = findings
        self._file = file
        self._spelled_out = False
        self._frames: list[pl.DataFrame] = []
        self._lines: list[Lines] = []
        self._wrong = dict.fromkeys(names, 0)
        self._seen = dict.fromkeys(names, 0)

    def add(self, part: Part) -> None:
        """Take the rows of a part."""
        texts: pl.DataFrame | None = None
        if any(name not in self._numbers for name in self._names):
            texts = part.texts()
            for name in self._names:
                if name not in self._numbers:
                    self._numbers[name] = self._judge(texts[name])
        schema = {name: pl.Float64 if self._numbers[name] else pl.String for name in self._names}
        frame = None if self._spelled_out else part.typed(schema, ())
        if frame is None:  # perhaps for how a missing number is written; to look for it takes time
            frame = part.typed(schema, self._missing)
            self._spelled_out = frame is not None
        if frame is None:
            texts = part.texts() if texts is None else texts
            frame, good = self._convert(texts, part.lines)
        else:
            frame, good = self._tidy(frame, part.lines)
        lines = part.lines
        if good is not None:
            self._findings.bad_lines += int((~good).sum())
            frame = frame.filter(good)
            lines = np.asarray(lines, dtype=np.int64)[good.to_numpy()]
        self._frames.append(frame)
        self._lines.append(lines)

    def not_numbers(self) -> list[str]:
        """Name the columns that were read as numbers and turned out to be text."""
        return [
            name
            for name, wrong in self._wrong.items()
            if wrong and not _mostly(wrong, self._seen[name])
        ]

    def columns(self) -> Columns:
        """Return what was read."""
        if self._frames:
            return Columns(pl.concat(self._frames, rechunk=False), self._lines)
        schema = {
            name: pl.Float64 if self._numbers.get(name) else pl.String for name in self._names
        }
        return Columns(pl.DataFrame(schema=schema), [])

    def _judge(self, texts: pl.Series) -> bool:
        values = _without(texts.str.strip_chars(), self._missing).drop_nulls()
        wrong = int(values.cast(pl.Float64, strict=False).null_count())
        return len(values) > 0 and (wrong == 0 or _mostly(wrong, len(values)))

    def _tidy(self, frame: pl.DataFrame, lines: Lines) -> tuple[pl.DataFrame, pl.Series | None]:
        """Trim texts and find numbers that are too large in what polars read by itself."""
        columns: list[pl.Series] = []
        good: pl.Series | None = None
        for name in self._names:
            column = frame[name]
            if not self._numbers[name]:
                trimmed = _without(column.str.strip_chars(), self._missing)
                columns.append(trimmed.alias(name))
                continue
            self._seen[name] += len(column) - column.null_count()
            known = self._known_numbers(column)
            good = self._refuse_too_large(known, lines, good)
            columns.append(known)
        return pl.DataFrame(columns), good

    def _convert(self, texts: pl.DataFrame, lines: Lines) -> tuple[pl.DataFrame, pl.Series | None]:
        """Read texts as what their columns are."""
        columns: list[pl.Series] = []
        good: pl.Series | None = None
        for name in self._names:
            values = _without(texts[name].str.strip_chars(), self._missing)
            if self._numbers[name]:
                numbers = values.cast(pl.Float64, strict=False)
                self._seen[name] += len(values) - values.null_count()
                wrong = numbers.is_null() & values.is_not_null()
                if wrong.any():
                    self._wrong[name] += int(wrong.sum())
                    self._name_wrong(name, values, wrong, lines)
                    good = _both(good, ~wrong)
                values = self._known_numbers(numbers)
                good = self._refuse_too_large(values, lines, good)
            columns.append(values.alias(name))
        return pl.DataFrame(columns), good

    def _known_numbers(self, column: pl.Series) -> pl.Series:
        """Make null what is no number, and numbers that stand for a missing value."""
        if not _is_finite(column.sum()):
            column = column.fill_nan(None)
        if self._missing_numbers is None:
            return column
        return column.set(column.is_in(self._missing_numbers).fill_null(value=False), None)

    def _refuse_too_large(
        self,
        column: pl.Series,
        lines: Lines,
        good: pl.Series | None,
    ) -> pl.Series | None:
        least, most = column.min(), column.max()
        if not isinstance(least, float) or not isinstance(most, float):
            return good
        if least >= -GREATEST and most <= GREATEST:
            return good
        too_large = (column.abs() > GREATEST).fill_null(value=False)
        detail = "is infinite or beyond 1e150; write a smaller one, or leave it empty"
        for row in _rows_of(too_large):
            self._findings.bad_line(
                "infinite_value",
                f"has a value that {detail}",
                line=int(lines[row]),
                file=self._file,
                column=column.name,
                more=True,
            )
        return _both(good, ~too_large)

    def _name_wrong(
        self,
        name: str,
        values: pl.Series,
        wrong: pl.Series,
        lines: Lines,
    ) -> None:
        detail = (
            f"has no number in the column {name!r}, whose other cells are numbers; correct it, or"
            ' name the spelling in "missing", or the column in "kinds" as a category'
        )
        for row in _rows_of(wrong):
            self._findings.bad_line(
                "not_a_number",
                detail,
                line=int(lines[row]),
                file=self._file,
                column=name,
                excerpt=str(values[row]),
                more=True,
            )


def _rows_of(marked: pl.Series) -> list[int]:
    return marked.arg_true().to_list()


def _is_finite(total: object) -> bool:
    return isinstance(total, float) and isfinite(total)


def _both(good: pl.Series | None, also: pl.Series) -> pl.Series:
    return also if good is None else good & also


def _mostly(wrong: int, seen: int) -> bool:
    return seen >= _FEW and wrong <= max(1, MOSTLY * seen)


def _numbers_among(missing: Sequence[str]) -> pl.Series | None:
    """Find the numbers that stand for a missing value, however a file writes them."""
    numbers = pl.Series(values=[*missing], dtype=pl.String).cast(pl.Float64, strict=False)
    numbers = numbers.fill_nan(None).drop_nulls()
    return numbers.implode() if len(numbers) else None


def _without(texts: pl.Series, missing: Iterable[str]) -> pl.Series:
    """Make null what is written for a missing value."""
    spelled = pl.Series(values=[*missing], dtype=pl.String)
    absent = texts.is_in(spelled.implode())
    return texts.set(absent.fill_null(value=False), None) if absent.any() else texts
