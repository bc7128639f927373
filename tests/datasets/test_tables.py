"""Tables: kinds of columns, missing values, and everything that is odd or wrong about them."""

from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.datasets import registry, tables
from service.datasets.base import TableData
from service.datasets.findings import Findings
from service.datasets.registry import Checked
from service.domain.datasets import Column, Finding, TableDatasetSpec, TableFacts
from service.domain.problems import Invalid

SOLAR = Path(__file__).parents[3] / "shared" / "data" / "solar" / "greensboro.csv"


def a_spec(**options: Any) -> TableDatasetSpec:
    return TableDatasetSpec.model_validate({"name": "mine", "type": "table", **options})


def check(content: str | bytes, more: str | None = None, **options: Any) -> Checked:
    files: dict[str, BinaryIO] = {"file": BytesIO(_bytes(content))}
    if more is not None:
        files["validation_file"] = BytesIO(more.encode())
    return registry.check(a_spec(**options), files)


def load(content: str | bytes, more: str | None = None, **options: Any) -> TableData:
    facts = check(content, more, **options).facts
    assert isinstance(facts, TableFacts)
    files = {"file": _bytes(content), **({"validation_file": more.encode()} if more else {})}
    return tables.load(files, facts)


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


def columns_of(checked: Checked) -> dict[str, Column]:
    assert isinstance(checked.facts, TableFacts)
    return {column.name: column for column in checked.facts.columns}


def found(checked: Checked, code: str) -> list[Finding]:
    return [finding for finding in checked.findings if finding.code == code]


def refused(content: str, **options: Any) -> list[tuple[str, int | None]]:
    with pytest.raises(Invalid) as raised:
        check(content, **options)
    return [(error.pointer, error.line) for error in raised.value.errors]


ROWS = "".join(f"{n},{n % 3},{'abc'[n % 3]},2024-01-{n % 9 + 1:02},note {n}\n" for n in range(30))
TABLE = "size,level,group,day,note\n" + ROWS


def test_a_category_has_few_and_short_values_where_the_user_says_so_too() -> None:
    rows = "".join(f"{n},{'ab'[n % 2] * 513},{n % 3}\n" for n in range(1001))
    assert columns_of(check("a,b,c\n" + rows))["b"].kind == "text"
    assert refused("a,b,c\n" + rows, target="b") == [("/target", None)]
    assert refused("a,b,c\n" + rows, kinds={"b": "category"}) == [("/kinds/b", None)]
    assert refused("a,b,c\n" + rows, kinds={"a": "category"}) == [("/kinds/a", None)]


def test_columns_are_numbers_categories_dates_and_text() -> None:
    checked = check(TABLE, target="size", kinds={"level": "category"})
    kinds = {name: column.kind for name, column in columns_of(checked).items()}
    assert kinds == {
        "size": "number",
        "level": "category",
        "group": "category",
        "day": "date",
        "note": "text",
    }
    assert columns_of(checked)["size"].maximum == 29
    assert columns_of(checked)["group"].values == ["a", "b", "c"]


def test_a_category_may_be_called_count() -> None:
    rows = "".join(f"{'xy'[n % 2]},{n}\n" for n in range(40))
    assert columns_of(check("count,size\n" + rows))["count"].values == ["x", "y"]


def test_what_is_loaded_is_what_was_checked() -> None:
    data = load(TABLE, target="size")
    assert data.held_out is None
    size = data.columns["size"]
    assert isinstance(size, np.ndarray)
    assert size.tolist() == list(range(30))
    assert data.columns["group"][:4] == ["a", "b", "c", "a"]
    assert data.columns["day"][0] == "2024-01-01T00:00:00Z"


def test_missing_values_are_what_the_rule_and_the_user_say() -> None:
    cells = ["1", "", "NA", " nan ", "-9900", "-9900.0", "?", "8", "9"]
    content = "x,y\n" + "".join(f"{cell},{n}\n" for n, cell in enumerate(cells))
    data = load(content, missing=["-9900"])
    x = data.columns["x"]
    assert isinstance(x, np.ndarray)
    assert [n for n, value in enumerate(x) if not np.isnan(value)] == [0, 7, 8]
    assert columns_of(check(content, missing=["-9900"]))["x"].missing == 6


def test_a_number_far_from_all_others_is_suspected_to_stand_for_nothing() -> None:
    content = "x,y\n" + "".join(f"{-9900 if n == 7 else n % 20},{n}\n" for n in range(100))
    (finding,) = found(check(content), "sentinel_suspected")
    assert (finding.column, finding.line, finding.excerpt) == ("x", 9, "-9900")
    assert not found(check(content, missing=["-9900"]), "sentinel_suspected")


def test_a_cell_that_is_no_number_among_numbers_is_named() -> None:
    content = "x,y\n" + "".join(f"{'12a' if n in {5, 40} else n},{n}\n" for n in range(60))
    assert refused(content) == [("/file", 7), ("/file", 42)]
    checked = check(content, on_error="skip")
    assert isinstance(checked.facts, TableFacts)
    assert checked.facts.rows == 58
    (finding,) = found(checked, "lines_skipped")
    assert (finding.count, finding.line) == (2, 7)
    assert len(load(content, on_error="skip").columns["y"]) == 58


def test_a_column_that_is_text_only_later_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.datasets.encodings.PIECE_BYTES", 64)
    content = "x,y\n" + "".join(f"{n if n < 50 else 'abc'[n % 3]},{n}\n" for n in range(100))
    assert columns_of(check(content))["x"].kind == "text"
    assert load(content).columns["x"][:2] == ["0", "1"]


@pytest.mark.parametrize("value", ["inf", "-Infinity", "1e999", "-1e151"])
def test_infinite_values_and_ones_near_to_it_are_refused(value: str) -> None:
    assert refused(f"x,y\n1,2\n{value},3\n4,5\n") == [("/file", 3)]


def test_a_number_too_large_may_stand_for_nothing() -> None:
    content = "x,y\n1,2\n1.0e200,3\n4,5\n"
    assert columns_of(check(content, missing=["1e200"]))["x"].missing == 1
    assert columns_of(check("x,y\n1,2\n1e150,3\n4,5\n"))["x"].maximum == 1e150


def test_a_target_that_does_not_exist_is_answered_with_the_nearest() -> None:
    with pytest.raises(Invalid, match="did you mean 'power_kw'") as raised:
        check("hour,power_kw\n1,2\n2,3\n", target="power")
    assert raised.value.errors[0].pointer == "/target"


@pytest.mark.parametrize(
    ("content", "options", "pointer"),
    [
        ("a,a\n1,2\n3,4\n", {"header": True}, "/file"),
        (",\n1,2\n3,4\n", {"header": True}, "/file"),
        (",".join(f"c{n}" for n in range(10_000)) + "\n", {}, "/file"),
        ("a,b\n", {"header": True}, "/file"),
        ("", {}, "/file"),
        ("a\n1\n2\n", {}, "/file"),
        ("a,b\n1,\n2,NA\n", {}, "/target"),
        ("a,b\n1,7\n2,7\n", {}, "/target"),
        ("a,b\n1,2\n", {"units": {"c": "kW"}}, "/units/c"),
        ("a,b\n1,2\n", {"split": "s"}, "/split"),
        ("a,s\n1,train\n2,later\n", {"split": "s", "header": True}, "/file"),
        ("a,b,s\n1,2,train\n2,3,train\n", {"split": "s"}, "/split"),
        ("a,b,s\n1,2,validation\n2,3,validation\n", {"split": "s"}, "/split"),
        ("a,b\n1,2\n2,3\n", {}, "/file"),
        ("a,b\n1,\n2,\n3,\n4,5\n5,6\n", {}, "/file"),
        ("a,b\n1,x\n1,x\n2,y\n2,y\n", {"header": True}, "/file"),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(
    content: str, options: dict[str, Any], pointer: str
) -> None:
    assert pointer in {each for each, _ in refused(content, **options)}


def test_constant_and_empty_columns_and_copies_are_told() -> None:
    checked = check("a,b,c,y\n1,5,,1\n2,5,,2\n1,5,,1\n3,5,,3\n")
    assert found(checked, "constant_column")[0].column == "b"
    assert found(checked, "empty_column")[0].column == "c"
    assert (found(checked, "duplicate_rows")[0].line, columns_of(checked)["c"].missing) == (4, 4)


def test_a_column_of_the_split_and_a_second_file_hold_rows_out() -> None:
    split = load("x,y,s\n1,2,train\n3,4,validation\n5,6,train\n", split="s")
    assert set(split.columns) == {"x", "y"}
    assert split.facts.target == "y"
    second = load("x,y\n1,2\n5,6\n", "x,y\n3,4\n")
    assert split.held_out is not None
    assert second.held_out is not None
    assert (split.held_out.tolist(), second.held_out.tolist()) == ([0, 1, 0], [0, 0, 1])
    assert second.facts.test_rows == 1


def test_a_second_file_without_rows_is_refused() -> None:
    with pytest.raises(Invalid) as raised:
        check("x,y\n1,2\n5,6\n", "x,y\n", header=True)
    assert "/validation_file" in {error.pointer for error in raised.value.errors}


@pytest.mark.parametrize(
    ("cells", "line"), [(["2024-01-02", "", "soon"], 4), (["0000-01-02", "2024-01-02"], 2)]
)
def test_a_cell_of_a_date_that_is_none_is_named(cells: list[str], line: int) -> None:
    rows = "".join(f"{cell},{n},a\n" for n, cell in enumerate([*cells, *["2024-01-03"] * 9]))
    content = "d,y,z\n" + rows
    with pytest.raises(Invalid, match=repr(cells[line - 2])) as raised:
        check(content, target="y", kinds={"d": "date"})
    assert [(e.pointer, e.line) for e in raised.value.errors] == [("/kinds/d", line)]
    assert columns_of(check(content, target="y"))["d"].kind != "date"


def test_dates_with_a_zone_are_read_in_utc() -> None:
    cells = ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00+09:00", "2026-01-31T12:00:00.25-01:00"]
    content = "d,y\n" + "".join(f"{cell},{n}\n" for n, cell in enumerate(cells))
    assert columns_of(check(content))["d"].kind == "date"
    hours = [str(cell)[11:] for cell in load(content).columns["d"]]
    assert hours == ["12:00:00Z", "03:00:00Z", "13:00:00Z"]


def test_a_second_file_must_have_the_same_columns() -> None:
    with pytest.raises(Invalid) as raised:
        check("x,y\n1,2\n5,6\n", "y,x\n3,4\n")
    assert raised.value.errors[0].pointer == "/validation_file"


def test_semicolons_and_cp949_are_found_out() -> None:
    content = "온도;전력\n" + "".join(f"{n};{2 * n}\n" for n in range(9))
    checked = check(content.encode("cp949"))
    assert isinstance(checked.facts, TableFacts)
    assert (checked.facts.format.delimiter, checked.facts.format.encoding) == (";", "cp949")
    assert checked.facts.target == "전력"


@pytest.mark.parametrize("piece", [64, 1 << 23])
def test_pieces_change_nothing(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = check(TABLE, target="size")
    monkeypatch.setattr("service.datasets.encodings.PIECE_BYTES", piece)
    assert check(TABLE, target="size") == whole


def test_the_weather_of_greensboro_is_read_without_a_doubt() -> None:
    if not SOLAR.exists():
        pytest.skip("the shared data are not here")
    checked = check(SOLAR.read_bytes(), series=True)
    assert isinstance(checked.facts, TableFacts)
    assert (checked.facts.rows, checked.facts.target) == (8760, "power_kw")
    assert {column.kind for column in checked.facts.columns} == {"number"}
    assert {finding.level for finding in checked.findings} == {"note"}


def test_bad_cells_of_dropped_rows_are_counted_once() -> None:
    findings = Findings(skip=True)
    spec = a_spec(on_error="skip")
    content = "x,y\n" + "".join(f"{n},{n}\n" for n in range(20)) + "oh,no\n"
    facts = tables.check({"file": BytesIO(content.encode())}, spec, 1 << 20, findings)
    assert (facts.rows, findings.bad_lines) == (20, 1)


MESSY = st.lists(
    st.sampled_from(
        [*'12.-e,;\t"\n\r a', "\n", ",", "nan", "inf", "NA", "é", "가", "2024-01-02", "\0"]
    ),
    max_size=60,
).map("".join)


@given(MESSY.map(str.encode) | st.binary(max_size=60), st.booleans(), st.sampled_from([5, 1 << 20]))
def test_any_bytes_end_in_a_table_or_a_problem(content: bytes, skip: bool, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.datasets.encodings.PIECE_BYTES", piece)
        try:
            facts = check(content, on_error="skip" if skip else "refuse").facts
        except Invalid:
            return
        assert isinstance(facts, TableFacts)
        data = tables.load({"file": content}, facts)
    assert {len(column) for column in data.columns.values()} == {facts.rows}
