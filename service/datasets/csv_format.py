"""How a file of rows is read: its delimiter, its quotes, its header, found out of its beginning."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice, product
from typing import NamedTuple

from service.datasets.csv_cells import Row, rows
from service.datasets.findings import Findings
from service.domain.datasets import CsvDatasetSpec, CsvFormat, Delimiter, Encoding

MAX_COLUMNS = 2000
MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "nan", "NaN", "NAN", "null", "NULL", "-", "?")
"""How files write that there is no value, exactly so, blanks around it aside."""

_DELIMITERS: Sequence[Delimiter] = (",", ";", "\t", "|")
_SAMPLE_ROWS = 200
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|\d{4}-\d\d-\d\d.*")


class Layout(NamedTuple):
    """How to read a file, and the names of its columns."""

    format: CsvFormat
    columns: list[str]


class _Tried(NamedTuple):
    """What came of reading the beginning in one way."""

    bad: float
    fields: int
    quoted: int
    rows: list[Row]


def lay_out(sample: str, encoding: Encoding, spec: CsvDatasetSpec, findings: Findings) -> Layout:
    """Find out how to read a file that begins with `sample`. Errors go to `findings`."""
    delimiters: Sequence[Delimiter] = _DELIMITERS if spec.delimiter is None else [spec.delimiter]
    quotings = [True, False] if spec.quoting is None else [spec.quoting]
    ways = product(delimiters, quotings)
    tried = {way: _try(sample, way[0], quoting=way[1]) for way in ways}
    way = min(tried, key=lambda way: _badness(tried[way], quoting=way[1]))
    found = tried[way].rows
    header = _has_header(found) if spec.header is None else spec.header
    layout = CsvFormat(
        encoding=encoding,
        delimiter=way[0],
        quoting=way[1],
        header=header,
        missing=[*MISSING, *(each for each in spec.missing if each not in MISSING)],
        skip_errors=spec.on_error == "skip",
        split=spec.split,
    )
    return Layout(layout, _names(_first(found), header, findings))


def named(layout: CsvFormat, sample: str) -> Layout:
    """Return a known format with the names of the columns of a file that begins with `sample`."""
    found = rows(sample, layout.delimiter, quoting=layout.quoting)
    return Layout(layout, _names(_first(found), layout.header, Findings()))


def _first(found: Iterable[Row]) -> list[str]:
    """Return the cells of the first row that can be read."""
    for row in found:
        if row.cells is not None:
            return row.cells
    return []


def _try(sample: str, delimiter: str, *, quoting: bool) -> _Tried:
    found = list(islice(rows(sample, delimiter, quoting=quoting), _SAMPLE_ROWS))
    counts = Counter(len(row.cells) for row in found if row.cells is not None)
    fields, usual = counts.most_common(1)[0] if counts else (0, 0)
    bad = 1 - usual / len(found) if found else 1.0
    marked = sum(sample.startswith('"', row.start) for row in found)
    return _Tried(bad, fields, marked, found)


def _badness(tried: _Tried, *, quoting: bool) -> tuple[float, int, bool, int]:
    """Order ways to read: rows of several cells, equally many of them; quotes where they work."""
    alone = tried.fields < 2
    return (1.0 if alone else tried.bad, int(alone), not quoting, -tried.fields)


def _has_header(found: Sequence[Row]) -> bool:
    """Tell names from data: no number among them, and none comes again in its column."""
    cells = [row.cells for row in found if row.cells is not None]
    if len(cells) < 2:
        return bool(cells) and not any(_NUMBER.fullmatch(cell.strip()) for cell in cells[0])
    first = [cell.strip() for cell in cells[0]]
    if not any(first) or any(_NUMBER.fullmatch(cell) for cell in first):
        return False
    return not any(
        name and any(len(row) > at and row[at].strip() == name for row in cells[1:])
        for at, name in enumerate(first)
    )


def _names(first: Sequence[str], header: bool, findings: Findings) -> list[str]:
    if len(first) > MAX_COLUMNS:
        detail = f"has {len(first):,} columns; send at most {MAX_COLUMNS:,}"
        findings.error("/file", "too_many_columns", detail)
        return []
    if not header:
        return [f"column_{number}" for number in range(1, len(first) + 1)]
    names = [name.strip() for name in first]
    empty = [number for number, name in enumerate(names, start=1) if not name]
    if empty and len(empty) == len(names):
        findings.error("/file", "empty_header", "names no column in its first row; name them")
    for number in empty:
        names[number - 1] = f"column_{number}"
        detail = f"column {number} has no name; it is called column_{number}"
        findings.warning("empty_header", detail, line=1, column=f"column_{number}")
    for name, count in Counter(names).items():
        if count > 1:
            detail = "is named more than once in the first row; give each column its own name"
            findings.error(
                "/file", "duplicate_header", f"has a column twice: {detail}", line=1, column=name
            )
    return names
