"""Rows of a file cut into cells one by one: what RFC 4180 says, and what to do where files differ.

A cell that begins with a quote must end with one before the next delimiter or line end; two quotes
inside are one. A quote inside a cell that does not begin with one is an ordinary character. What
cannot be so is a bad row, and reading goes on with the next line of the file.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

_PHYSICAL_LINE = re.compile(r"[^\r\n]*(\r\n|\r|\n|\Z)")


class Row(NamedTuple):
    """One row. `cells` is None where a quote is not closed; `end` is where the next row begins."""

    cells: list[str] | None
    line: int
    start: int
    end: int


def rows(text: str, delimiter: str, *, quoting: bool, line: int = 1) -> Iterator[Row]:
    """Cut `text`, whose first line has the number `line`, into rows; empty lines are left out."""
    cell = _cell(delimiter, quoting)
    at = 0
    while at < len(text):
        start = at
        cells: list[str] | None = []
        while True:
            found = cell.match(text, at)
            if found is None:  # a quote that is not closed
                cells, at = None, _next_line(text, start)
                break
            quoted, plain, ended = found.groups()
            cells.append(quoted.replace('""', '"') if plain is None else plain)
            at = found.end()
            if ended != delimiter:
                break
        if cells != [""] or text[start:at].strip("\r\n"):
            yield Row(cells, line, start, at)
        line += _breaks(text, start, at)


def is_open(text: str, row: Row, delimiter: str) -> bool:
    """Tell whether a bad row at the end of a piece may go on behind it."""
    if row.cells is not None:
        return False
    return _open_to_the_end(delimiter).match(text, row.start) is not None


@cache
def _cell(delimiter: str, quoting: bool) -> re.Pattern[str]:
    stop = rf"({re.escape(delimiter)}|\r\n|\r|\n|\Z)"
    plain = rf"[^{re.escape(delimiter)}\r\n]*+"
    if not quoting:
        return re.compile(rf"(?:((?!))|({plain})){stop}")
    return re.compile(rf'(?:"([^"]*+(?:""[^"]*+)*+)"|(?!")({plain})){stop}')


@cache
def _open_to_the_end(delimiter: str) -> re.Pattern[str]:
    stop = re.escape(delimiter)
    whole = rf'(?:"[^"]*+(?:""[^"]*+)*+"|(?!")[^{stop}\r\n]*+){stop}'
    return re.compile(rf'(?:{whole})*+"[^"]*+(?:""[^"]*+)*+\Z')


def _next_line(text: str, at: int) -> int:
    found = _PHYSICAL_LINE.match(text, at)
    return len(text) if found is None else found.end()


def _breaks(text: str, start: int, end: int) -> int:
    newlines = text.count("\n", start, end)
    returns = text.count("\r", start, end)
    return newlines + returns - text.count("\r\n", start, end) if returns else newlines
