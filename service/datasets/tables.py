"""Tables: a file of rows whose columns are numbers, categories, dates or text."""

from collections.abc import Mapping, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from service.datasets import csv_columns, table_findings, table_kinds
from service.datasets.base import TableData
from service.datasets.csv_columns import Columns
from service.datasets.csv_format import Layout
from service.datasets.csv_sources import (
    Sources,
    refuse_one_side,
    stored,
)
from service.datasets.findings import Findings, shorten
from service.datasets.two_files import VALIDATION, refuse_wrong_files
from service.domain.datasets import Column, TableDatasetSpec, TableFacts
from service.domain.problems import known_names


class _Read(NamedTuple):
    """The good rows of all files, one file behind the other."""

    frame: pl.DataFrame
    held_out: NDArray[np.bool_]
    files: list[tuple[str, Columns]]

    def place(self, row: int) -> tuple[str, int | None]:
        """Return the file and the line of a row."""
        for role, columns in self.files:
            if row < columns.frame.height:
                return role, columns.line(row)
            row -= columns.frame.height
        return "file", None

    def numbers(self) -> NDArray[np.int64]:
        """Return the line of every row, each in its own file."""
        parts = [np.asarray(lines) for _, columns in self.files for lines in columns.lines]
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def check(
    files: Mapping[str, BinaryIO],
    spec: TableDatasetSpec,
    max_decoded_bytes: int,
    findings: Findings,
) -> TableFacts:
    """Return the facts of a table. Raises Invalid for what cannot be learned from."""
    refuse_wrong_files(files, max_decoded_bytes, what="rows")
    sources = Sources(files)
    layout = sources.lay_out(spec, findings)
    target = _target(layout, spec, findings)
    numbers = {name: kind == "number" for name, kind in spec.kinds.items()}
    read = _read(sources, layout, numbers, findings)
    if read.frame.height == 0 and (findings.skip or not findings.bad_lines):
        findings.error("/file", "empty", "holds no row that can be read; send rows to learn from")
    findings.refuse("rows")
    distinct = table_kinds.distinct_numbers(read.frame)
    columns = [
        table_kinds.describe(
            read.frame[name],
            spec.kinds.get(name),
            spec.units.get(name),
            distinct.get(name),
            is_target=name == target,
        )
        for name in layout.columns
        if name != spec.split
    ]
    _refuse_wrong_dates(read, columns, findings)
    table_findings.refuse_no_categories(columns, spec.kinds, findings)
    table_findings.find(read.frame, columns, target, findings, lambda row: read.place(row)[1])
    findings.refuse("rows")
    test_rows = int(read.held_out.sum())
    if spec.split is not None or VALIDATION in files:
        refuse_one_side(read.frame.height, test_rows, spec, findings)
    elif not spec.series:
        table_findings.refuse_too_few(read.frame, columns, target, findings)
    findings.refuse("rows")
    return TableFacts(
        format=layout.format,
        columns=columns,
        rows=read.frame.height,
        test_rows=test_rows,
        target=target,
        series=spec.series,
    )


def load(files: Mapping[str, bytes], facts: TableFacts) -> TableData:
    """Read a stored table that was checked before."""
    sources = stored(files)
    layout = sources.known_layout(facts.format)
    numbers = {column.name: column.kind == "number" for column in facts.columns}
    read = _read(sources, layout, numbers, Findings(skip=True))
    has_split = facts.format.split is not None or VALIDATION in files
    return TableData(
        facts=facts,
        columns={column.name: _values(read.frame[column.name], column) for column in facts.columns},
        held_out=read.held_out if has_split else None,
        numbers=read.numbers(),
    )


def _values(series: pl.Series, column: Column) -> NDArray[np.float64] | list[str | None]:
    if column.kind == "number":
        return series.fill_null(np.nan).to_numpy()
    if column.kind == "date":
        return table_kinds.dates(series).to_list()
    return series.to_list()


def _read(
    sources: Sources, layout: Layout, numbers: Mapping[str, bool], findings: Findings
) -> _Read:
    split = layout.format.split
    known = {**numbers, **({} if split is None else {split: False})}
    frames: list[pl.DataFrame] = []
    marks: list[NDArray[np.bool_]] = []
    files: list[tuple[str, Columns]] = []
    for role in sources.roles:
        columns = csv_columns.read(
            lambda found, role=role: sources.parts(role, layout, found),
            layout.columns,
            missing=layout.format.missing,
            numbers=known,
            findings=findings,
            file=role,
        )
        # What the first file's columns are, the second one's must be.
        known |= {name: columns.frame[name].dtype == pl.Float64 for name in layout.columns}
        if split is not None:
            columns, marked = _split(columns, split, findings, role)
        else:
            marked = np.full(columns.frame.height, role == VALIDATION)
        frames.append(columns.frame)
        marks.append(marked)
        files.append((role, columns))
    return _Read(pl.concat(frames, rechunk=False), np.concatenate(marks), files)


def _refuse_wrong_dates(read: _Read, columns: Sequence[Column], findings: Findings) -> None:
    """Note the columns that are dates for the user only."""
    for column in columns:
        series = read.frame[column.name]
        row = table_kinds.first_that_is_no_date(series) if column.kind == "date" else None
        if row is not None:
            detail = (
                f"has {shorten(series[row])!r} in {column.name!r}, which is no date or is written"
                " unlike the others; write all as 2026-01-31 or as 2026-01-31T12:00:00Z"
            )
            _, line = read.place(row)
            pointer = f"/kinds/{column.name}"
            findings.error(pointer, "not_a_date", detail, line=line, column=column.name)


def _split(
    columns: Columns, split: str, findings: Findings, role: str
) -> tuple[Columns, NDArray[np.bool_]]:
    """Return the rows whose split is known, and which of them validate."""
    said = columns.frame[split]
    good = said.is_in(["train", "validation"]).fill_null(value=False)
    for row in (~good).arg_true().to_list():
        detail = f"says neither `train` nor `validation` in the column {split!r}; write one of them"
        findings.bad_line(
            "unknown_split",
            detail,
            line=columns.line(row),
            file=role,
            column=split,
            excerpt=said[row],
        )
    if not good.all():
        lines = np.concatenate([np.asarray(each) for each in columns.lines])[good.to_numpy()]
        columns = Columns(columns.frame.filter(good), [lines])
    return columns, (columns.frame[split] == "validation").to_numpy()


def _target(layout: Layout, spec: TableDatasetSpec, findings: Findings) -> str:
    """Return the column to learn. Raises Invalid for names that no column has."""
    named: list[tuple[str, str | None]] = [("/target", spec.target), ("/split", spec.split)]
    named += [(f"/units/{name}", name) for name in spec.units]
    named += [(f"/kinds/{name}", name) for name in spec.kinds]
    for pointer, name in named:
        if name is not None and name not in layout.columns:
            detail = f"is no column of the file; {known_names(layout.columns[:50], near=name)}"
            findings.error(pointer, "unknown_column", detail)
    columns = [name for name in layout.columns if name != spec.split]
    if len(columns) < 2:
        detail = "has too few columns: send one to learn and at least one to learn it from"
        findings.error("/file", "too_few_columns", detail)
    if spec.target is not None and spec.target == spec.split:
        findings.error("/target", "unknown_column", "is the column of the split; name another")
    findings.refuse("rows")
    return spec.target or columns[-1]
