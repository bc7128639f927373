"""What is odd about a table that can be read: told with what to do about it."""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from service.datasets.findings import Findings
from service.datasets.table_kinds import MAX_CATEGORIES, MAX_LETTERS
from service.domain.datasets import Column, ColumnKind
from service.domain.problems import pointer_to

_SENTINEL = re.compile(r"-?9{2,}0*|-?9{2,}\.9+|-1")
_FAR = 5.0
"""A suspected sentinel lies so many times the spread of the other values away from them."""


def find(
    frame: pl.DataFrame,
    columns: Sequence[Column],
    target: str,
    findings: Findings,
    line_of: Callable[[int], int | None],
) -> None:
    """Add what is odd to `findings`; errors for what nothing can be learned from."""
    for column in columns:
        _missing(column, frame.height, target, findings)
        if column.kind == "number":
            _sentinels(frame[column.name], column, findings, line_of)
    _duplicates(frame, findings, line_of)


def refuse_too_few(
    frame: pl.DataFrame, columns: Sequence[Column], target: str, findings: Findings
) -> None:
    """Note that no split leaves rows to learn from and some to validate."""
    learned = next(column for column in columns if column.name == target)
    most = max(column.distinct for column in columns)
    if not learned.missing and most > max(2, learned.distinct):
        return  # then some rows of a class differ
    names = [column.name for column in columns]
    distinct = frame.select(names).drop_nulls([target]).n_unique()
    if distinct > learned.distinct or (distinct > 2 and learned.kind != "category"):
        return
    detail = (
        f"has too few different rows to hold some out: {distinct:,} for {learned.distinct:,} values"
        f" of {target!r}; send more, or say by a split which validate"
    )
    findings.error("/file", "too_few_rows", detail)


def refuse_no_categories(
    columns: Sequence[Column], kinds: Mapping[str, ColumnKind], findings: Findings
) -> None:
    """Note categories, the target or those that the user calls so, with too many or long values."""
    for column in columns:
        if column.kind != "category":
            continue
        name = column.name
        pointer = pointer_to(("kinds", name)) if name in kinds else "/target"
        longest = max(map(len, column.values), default=0)
        if column.distinct > MAX_CATEGORIES:
            detail = f"has {column.distinct:,} different values; a category has at most 1,000"
            findings.error(pointer, "too_many_categories", detail, column=name)
        elif longest > MAX_LETTERS:
            detail = f"has a value of {longest:,} letters; of a category they have at most 512"
            findings.error(pointer, "value_too_long", detail, column=name)


def _missing(column: Column, rows: int, target: str, findings: Findings) -> None:
    name = column.name
    if column.missing == rows:
        if name == target:
            detail = "is missing in all rows; choose a target that has values"
            findings.error("/target", "target_missing", detail, column=name)
            return
        findings.warning("empty_column", f"the column {name!r} has no value", column=name)
    elif column.distinct == 1:
        detail = f"the column {name!r} has the same value in every row"
        if name == target:
            findings.error("/target", "constant_target", f"never varies: {detail}", column=name)
        else:
            findings.warning("constant_column", f"{detail}: it tells nothing", column=name)
    if column.missing and name == target:
        detail = f"{column.missing:,} rows have no target {name!r}: nothing is learned from them"
        findings.warning("target_missing", detail, column=name, count=column.missing)
    elif column.missing:
        detail = f"{column.missing:,} of {rows:,} values of {name!r} are missing"
        findings.note("missing_values", detail, column=name, count=column.missing)


def _sentinels(
    series: pl.Series, column: Column, findings: Findings, line_of: Callable[[int], int | None]
) -> None:
    """Suspect a least or greatest value like -9900 that lies far from all others."""
    for value in (column.minimum, column.maximum):
        if value is None or not _SENTINEL.fullmatch(f"{value:.12g}"):
            continue
        others = series.filter(series != value)
        low, high = others.quantile(0.05), others.quantile(0.95)
        least, most = others.min(), others.max()
        if not isinstance(least, float) or not isinstance(most, float):
            continue
        if low is None or high is None or high == low:
            continue
        gap = least - value if value < least else value - most
        if gap < _FAR * (high - low):
            continue
        rows = (series == value).fill_null(value=False).arg_true()
        detail = (
            f"{value:g} in {column.name!r} lies far from all other values ({least:g} to {most:g}):"
            f' if it stands for a missing value, send "missing": ["{value:g}"]'
        )
        findings.warning(
            "sentinel_suspected",
            detail,
            line=line_of(int(rows[0])),
            column=column.name,
            excerpt=f"{value:g}",
            count=len(rows),
        )


def _duplicates(
    frame: pl.DataFrame, findings: Findings, line_of: Callable[[int], int | None]
) -> None:
    hashes = frame.hash_rows(seed=0)
    ordered = np.sort(hashes.to_numpy())  # needs less memory than a set
    count = int(np.count_nonzero(ordered[1:] == ordered[:-1]))
    if count:
        first = line_of(int((~hashes.is_first_distinct()).arg_true()[0]))
        detail = (
            f"{count:,} rows are copies of earlier ones; they stay, and a copy is never on the"
            " other side of the split"
        )
        findings.note("duplicate_rows", detail, line=first, count=count)
