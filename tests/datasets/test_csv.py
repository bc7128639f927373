"""Files of rows: what Python's csv module writes comes back, and what is broken is named."""

import csv
import unicodedata
from collections.abc import Sequence
from io import BytesIO, StringIO
from typing import Any, Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import JsonValue

from service.datasets import csv_rows, encodings, json_rows
from service.datasets.csv_format import MAX_COLUMNS, Layout
from service.datasets.findings import Findings
from service.domain.datasets import CsvFormat, Delimiter
from service.domain.problems import Invalid

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
TRICKY = st.text(st.sampled_from('ab"\n\r,;\t|é가 '), max_size=6)


def a_layout(width: int, *, header: bool = False, **options: Any) -> Layout:
    names = [f"column_{number}" for number in range(1, width + 1)]
    known = {"encoding": "utf-8", "delimiter": ",", "quoting": True, "header": header, **options}
    return Layout(CsvFormat.model_validate({"missing": [], **known}), names)


def read(content: bytes, layout: Layout) -> tuple[list[list[str]], list[int], Findings]:
    """Return the cells of all good rows, their lines, and what was found."""
    findings = Findings()
    cells: list[list[str]] = []
    lines: list[int] = []
    for part in csv_rows.parts(BytesIO(content), layout, findings):
        cells += [list(row) for row in part.texts().iter_rows()]
        lines += [int(line) for line in part.lines]
    return cells, lines, findings


def written(
    rows: Sequence[Sequence[str]], delimiter: str, quoting: Literal[0, 1], end: str
) -> bytes:
    text = StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(rows)
    return text.getvalue().encode()


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(CELLS | TRICKY, min_size=width, max_size=width), min_size=1)
    ),
    st.sampled_from([",", ";", "\t", "|"]),
    # Python 3.11 leaves a carriage return without quotes unless it is part of the line end.
    st.sampled_from([(csv.QUOTE_MINIMAL, "\r\n"), (csv.QUOTE_ALL, "\n"), (csv.QUOTE_ALL, "\r\n")]),
    st.sampled_from([7, 64, 1 << 20]),
)
def test_what_python_writes_comes_back(
    rows: list[list[str]], delimiter: Delimiter, style: tuple[Literal[0, 1], str], piece: int
) -> None:
    assume(not rows[0][0].startswith("\ufeff"))
    content = written(rows, delimiter, *style)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "PIECE_BYTES", piece)
        cells, lines, findings = read(content, a_layout(len(rows[0]), delimiter=delimiter))
    assert not findings.bad_lines
    assert cells == [[unicodedata.normalize("NFC", cell) for cell in row] for row in rows]
    assert lines == sorted(lines)


def test_ragged_rows_are_named_by_their_line_and_left_out() -> None:
    cells, lines, findings = read(b"a,b\n1\n2,3\n\n4,5,6\n7,8", a_layout(2, header=True))
    assert (cells, lines) == ([["2", "3"], ["7", "8"]], [3, 6])
    assert [(each.code, each.line, each.excerpt) for each in findings.named_lines] == [
        ("ragged_row", 2, "1"),
        ("ragged_row", 5, "4,5,6"),
    ]


def test_a_quote_that_is_not_closed_costs_its_own_line_only() -> None:
    cells, lines, findings = read(b'a,b\n1,"x\n2,"y"\n3,"z\nz"\n4,q', a_layout(2, header=True))
    assert cells == [["2", "y"], ["3", "z\nz"], ["4", "q"]]
    assert lines == [3, 4, 6]
    assert [(each.code, each.line) for each in findings.named_lines] == [("unclosed_quote", 2)]


def test_a_quote_open_at_the_end_is_found_whatever_the_pieces_are() -> None:
    content = b'1,2\n3,"4\n' + b"5,6\n" * 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "PIECE_BYTES", 9)
        cells, _, findings = read(content, a_layout(2))
    assert len(cells) == 21
    assert [each.line for each in findings.named_lines] == [2]


def test_old_line_ends_and_blank_lines_are_understood() -> None:
    cells, lines, _ = read(b"1,2\r\r3,4\r\n\r\n5,6\n", a_layout(2))
    assert (cells, lines) == ([["1", "2"], ["3", "4"], ["5", "6"]], [1, 3, 5])


def test_a_quote_inside_a_cell_is_a_character() -> None:
    cells, _, findings = read(b'5" pipe,3\n"a ""b""",4\n', a_layout(2))
    assert cells == [['5" pipe', "3"], ['a "b"', "4"]]
    assert not findings.bad_lines


def test_only_a_hundred_lines_are_named_but_all_are_counted() -> None:
    _, _, findings = read(b"1,2,3\n" * 1000, a_layout(2))
    assert (len(findings.named_lines), findings.bad_lines) == (100, 1000)


@given(st.binary(max_size=60), st.sampled_from([3, 1 << 20]), st.booleans())
def test_any_bytes_end_in_rows_of_the_right_width(
    content: bytes, piece: int, quoting: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "PIECE_BYTES", piece)
        cells, lines, _ = read(content, a_layout(2, quoting=quoting))
    assert all(len(row) == 2 for row in cells)
    assert len(lines) == len(cells)


def test_rows_whose_every_key_is_new_are_refused_where_the_columns_are_too_many() -> None:
    with pytest.raises(Invalid) as raised:
        json_rows.as_csv([{f"key {number}": 1} for number in range(MAX_COLUMNS + 5)])
    assert [error.pointer for error in raised.value.errors] == [f"/rows/{MAX_COLUMNS}"]


def test_rows_that_lack_nearly_all_cells_are_refused() -> None:
    full: list[JsonValue] = [{f"key {number}": 1 for number in range(MAX_COLUMNS)}]
    with pytest.raises(Invalid, match="lack 12,000,000 cells"):
        json_rows.as_csv([*full, *({} for _ in range(6000))])
