"""The rows of a file, piece by piece: clean bytes for polars where it can be, else cells.

Separators are counted on whole pieces at once. Rows that do not fit are named by their line and
left out; pieces with quotes that do not pair, or with lone carriage returns, are read cell by cell.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import BinaryIO, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from service.datasets import csv_cells, encodings
from service.datasets.csv_format import Layout
from service.datasets.encodings import MAX_LINE_BYTES
from service.datasets.findings import Findings

Lines = range | NDArray[np.int64]
"""The number of the line at which each row begins."""

_NEWLINE, _RETURN, _QUOTE = b"\n"[0], b"\r"[0], b'"'[0]


class Part(NamedTuple):
    """Some rows of a file that all have the right number of cells, and the line of each."""

    content: bytes | None
    cells: Sequence[list[str]]
    lines: Lines
    layout: Layout

    def texts(self) -> pl.DataFrame:
        """Return the cells as they are written."""
        names = self.layout.columns
        if self.content is None:
            return pl.DataFrame(self.cells, schema=dict.fromkeys(names, pl.String), orient="row")
        return self._read(dict.fromkeys(names, pl.String), ()).fill_null("")

    def typed(
        self, schema: Mapping[str, type[pl.DataType]], missing: Sequence[str]
    ) -> pl.DataFrame | None:
        """Return the cells as `schema` has them; None if one of them is written otherwise."""
        if self.content is None:
            return None
        try:
            return self._read(schema, missing)
        except pl.exceptions.PolarsError:
            return None

    def _read(
        self, schema: Mapping[str, type[pl.DataType]], missing: Sequence[str]
    ) -> pl.DataFrame:
        layout = self.layout.format
        return pl.read_csv(
            self.content or b"",
            has_header=False,
            schema=schema,
            separator=layout.delimiter,
            quote_char='"' if layout.quoting else None,
            null_values=[*missing] or None,
        )


class _Cut(NamedTuple):
    """Where rows end in a piece, and how many cells each has."""

    ends: NDArray[np.int64]
    fields: NDArray[np.int64]


def parts(
    content: BinaryIO, layout: Layout, findings: Findings, *, file: str = "file"
) -> Iterator[Part]:
    """Read the rows behind the header. Rows that do not fit go to `findings`."""
    reader = _Reader(layout, findings, file)
    rest, line = b"", 1
    for piece in encodings.pieces(content, layout.format.encoding, findings, file=file):
        text = rest + piece.text
        part, used = reader.read(text, line, last=piece.last)
        if part is not None:
            yield part
        rest = text[used:]
        # Lines of the whole piece but those of what is left.
        line = piece.line + piece.lines - encodings.breaks(rest)
        if len(rest) > MAX_LINE_BYTES:
            detail = f"has a row of more than {MAX_LINE_BYTES >> 20} MiB; is a quote not closed?"
            findings.error(f"/{file}", "row_too_long", detail, line=line)
            return


class _Reader:
    def __init__(self, layout: Layout, findings: Findings, file: str) -> None:
        self._layout = layout
        self._width = len(layout.columns)
        self._delimiter = layout.format.delimiter
        self._findings = findings
        self._file = file
        self._header_left = layout.format.header

    def read(self, text: bytes, line: int, *, last: bool) -> tuple[Part | None, int]:
        """Return the rows of a piece that begins with a row, and how much of it was used."""
        if last and text and not text.endswith((b"\n", b"\r")):
            text += b"\n"
        lone_returns = b"\r" in text and text.count(b"\r") - text.count(b"\r\n")
        cut = None if lone_returns else self._cut(text)
        if cut is None or (last and (not len(cut.ends) or cut.ends[-1] != len(text))):
            return self._read_cells(text, line, last=last)
        return self._whole_rows(text, line, cut)

    def _cut(self, text: bytes) -> _Cut | None:
        """Find the ends of rows; None if quotes do not pair as they should."""
        octets = np.frombuffer(text, dtype=np.uint8)
        separators = (octets == _NEWLINE) | (octets == ord(self._delimiter))
        if self._layout.format.quoting and b'"' in text:
            quotes = octets == _QUOTE
            inside = (np.cumsum(quotes, dtype=np.uint8) & 1).astype(np.bool_)
            if not self._paired(octets, quotes, inside):
                return None
            separators &= ~inside
        places = np.flatnonzero(separators)
        last_of_row = np.flatnonzero(octets[places] == _NEWLINE)
        fields = np.diff(last_of_row, prepend=-1)
        return _Cut(places[last_of_row] + 1, fields)

    def _paired(
        self, octets: NDArray[np.uint8], quotes: NDArray[np.bool_], inside: NDArray[np.bool_]
    ) -> bool:
        """Tell whether every quote begins a cell, ends one, or is one of two."""
        at = np.flatnonzero(quotes)
        opening = at[inside[at]]
        closing = at[~inside[at]]
        before = octets[opening[opening > 0] - 1]
        after = octets[closing[closing < len(octets) - 1] + 1]
        edges = (_NEWLINE, ord(self._delimiter), _QUOTE)
        return bool(np.isin(before, edges).all() and np.isin(after, (*edges, _RETURN)).all())

    def _whole_rows(self, text: bytes, line: int, cut: _Cut) -> tuple[Part | None, int]:
        if not len(cut.ends):
            return None, 0
        used = int(cut.ends[-1])
        starts = np.concatenate([[0], cut.ends[:-1]])
        good = cut.fields == self._width
        lengths = cut.ends - starts
        blank = (cut.fields == 1) & (lengths <= 2)
        for row in np.flatnonzero(blank).tolist():
            blank[row] = not text[starts[row] : cut.ends[row]].strip(b"\r\n")
        good &= ~blank
        lines = self._lines(text[:used], line, starts)
        if self._header_left and bool((~blank).any()):
            self._header_left = False
            good[int(np.argmin(blank))] = False
            blank[int(np.argmin(blank))] = True
        for row in np.flatnonzero(~good & ~blank).tolist():
            excerpt = text[starts[row] : cut.ends[row]][:400].decode("utf-8", "replace").strip()
            self._ragged(int(cut.fields[row]), int(lines[row]), excerpt)
        if good.all():
            return Part(text[:used], (), lines, self._layout), used
        if not good.any():
            return None, used
        numbers = np.asarray(lines)[good]
        return Part(_kept(text, starts, cut.ends, good), (), numbers, self._layout), used

    def _lines(self, text: bytes, line: int, starts: NDArray[np.int64]) -> Lines:
        if text.count(b"\n") == len(starts):
            return range(line, line + len(starts))
        newlines = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == _NEWLINE)
        return line + np.searchsorted(newlines, starts)

    def _read_cells(self, raw: bytes, line: int, *, last: bool) -> tuple[Part | None, int]:
        """Read cell by cell."""
        text = raw.decode()
        quoting = self._layout.format.quoting
        kept: list[list[str]] = []
        lines: list[int] = []
        used = len(text)
        for row in csv_cells.rows(text, self._delimiter, quoting=quoting, line=line):
            if row.cells is None and not last and csv_cells.is_open(text, row, self._delimiter):
                used = row.start
                break
            if self._header_left:
                self._header_left = False
            elif row.cells is None:
                self._unclosed(row.line, text[row.start : row.end])
            elif len(row.cells) != self._width:
                self._ragged(len(row.cells), row.line, text[row.start : row.end])
            else:
                kept.append(row.cells)
                lines.append(row.line)
        part = Part(None, kept, np.array(lines, dtype=np.int64), self._layout) if kept else None
        return part, len(text[:used].encode())

    def _ragged(self, fields: int, line: int, excerpt: str) -> None:
        more = "more" if fields > self._width else "fewer"
        detail = (
            f"has {fields:,} cells, {more} than the {self._width:,} columns; give each row as many,"
            " and put cells that hold the delimiter in double quotes"
        )
        self._findings.bad_line(
            "ragged_row", detail, line=line, file=self._file, excerpt=excerpt.strip()
        )

    def _unclosed(self, line: int, excerpt: str) -> None:
        detail = (
            "opens a double quote that does not close before the next delimiter; close it, write a"
            ' quote inside as "", or send "quoting": false'
        )
        self._findings.bad_line(
            "unclosed_quote", detail, line=line, file=self._file, excerpt=excerpt.strip()
        )


def _kept(
    text: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64], good: NDArray[np.bool_]
) -> bytes:
    """Join the good rows, run by run."""
    edges = np.flatnonzero(np.diff(good, prepend=False, append=False)).tolist()
    runs = list(pairwise(edges))[::2]
    return b"".join(text[starts[first] : ends[beyond - 1]] for first, beyond in runs)
