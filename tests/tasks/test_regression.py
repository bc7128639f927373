"""Regression of rows: targets in their unit, splits, answers, with a model whose sums are known."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# torch leaves tolist untyped.

import json
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from service.datasets.base import TableData
from service.domain.problems import Invalid
from service.tasks import regression
from service.tasks.base import Prepared
from service.tasks.regression import Regression, RegressionOptions
from tests.tasks.tables import WEATHER, Linear, a_table

LINE = {"a": [float(n) for n in range(40)], "power": [2.0 * n - 30 for n in range(40)]}
KNOWN: dict[str, JsonValue] = {"hour": 3, "sky": "rain", "day": "2026-02-01", "wind": 4.5}


def prepared(data: TableData | None = None, **options: Any) -> Prepared:
    return regression.prepare(data or a_table(), RegressionOptions.model_validate(options))


def errors_of(data: TableData | None = None, **options: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        regression.shape((data or a_table()).facts, RegressionOptions.model_validate(options))
    return {error.pointer: error.detail for error in caught.value.errors}


def answers(task: Regression, *rows: Any) -> list[Any]:
    encoded = task.encode(list(rows))
    numbers = len(task.names["numbers"]) + len(task.shape.categories)
    values = task.infer(Linear([[0.0] * numbers]), encoded)
    return task.decode(values, encoded, top_k=1, special_tokens=False)


def wrong(task: Regression, *rows: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        task.encode(list(rows))
    return {error.pointer: error.detail for error in caught.value.errors}


def test_metrics_are_in_the_unit_of_the_target() -> None:
    made = prepared(a_table(LINE))
    metrics = made.task.evaluate(Linear([[1.0]]), made.validation.in_order(3))
    assert metrics["val_rmse"] == pytest.approx(0, abs=1e-5)  # the line itself, standardised
    assert metrics["val_r2"] == pytest.approx(1)
    metrics = made.task.evaluate(Linear([[0.0]]), made.validation.in_order(3))
    assert metrics == pytest.approx(made.baseline.metrics)  # it says the training mean
    assert metrics["val_mae"] > 10


def test_the_interval_of_a_metric_holds_the_metric() -> None:
    made = prepared(a_table(LINE))
    model = Linear([[0.9]])
    metrics = made.task.evaluate(model, made.validation.in_order(3))
    intervals = made.task.assess(model, made.validation.in_order(3)).intervals
    assert intervals["val_rmse"].value == pytest.approx(metrics["val_rmse"])


def test_the_end_of_a_series_says_less_than_as_many_rows_of_a_table() -> None:
    long = {"a": [float(n) for n in range(800)], "power": [2.0 * n for n in range(800)]}
    made = prepared(a_table(long, series=True), validation_fraction=0.5)
    prepared_rows = {**json.loads(made.task.preparation()), "series": False}
    rows = regression.restore(json.dumps(prepared_rows).encode())
    widths = [
        each.assess(Linear([[0.5]]), made.validation.in_order(50)).intervals["val_mae"]
        for each in (made.task, rows)
    ]
    assert widths[0].high - widths[0].low > 2 * (widths[1].high - widths[1].low)


def test_what_cannot_be_negative_is_cut_off_in_answers_and_metrics() -> None:
    for non_negative, lowest in ((False, -30), (True, 0)):
        made = prepared(a_table(LINE), non_negative=non_negative)
        encoded = made.task.encode([{"a": 0.0}, {"a": 39.0}])
        values = made.task.infer(Linear([[1.0]]), encoded)
        assert values.numpy() == pytest.approx([lowest, 48], abs=1e-4)


def test_a_series_validates_by_its_end_and_is_compared_to_the_row_before() -> None:
    made = prepared(a_table(LINE, series=True), validation_fraction=0.25)
    (batch,) = made.validation.in_order(100)
    assert len(batch.targets) == 10
    assert batch.targets.min() > torch.cat([b.targets for b in made.train.in_order(100)]).max()
    assert made.baseline.name == "persistence"
    assert made.baseline.metrics["val_mae"] == pytest.approx(2)


def test_rows_that_the_dataset_holds_out_validate() -> None:
    held_out = [n in {3, 5} for n in range(40)]
    made = prepared(a_table(LINE, held_out=held_out))
    (batch,) = made.validation.in_order(100)
    features = made.task.encode([{"a": 3.0}, {"a": 5.0}]).tensor
    assert torch.equal(batch.inputs, features)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=8, max_size=60))
def test_equal_rows_are_on_one_side_and_count_once_if_asked(rows: list[tuple[int, int]]) -> None:
    rows = [*rows, (7, 7), (8, 8), (9, 9)]
    data = a_table({"a": [float(a) for a, _ in rows], "power": [float(b) for _, b in rows]})
    for deduplicate in (False, True):
        made = prepared(data, deduplicate=deduplicate)
        sides = [_rows(made, examples.in_order(7)) for examples in (made.train, made.validation)]
        assert not set(sides[0]) & set(sides[1])
        assert len(sides[0]) + len(sides[1]) == len(set(rows) if deduplicate else rows)


def test_a_row_on_both_sides_of_a_given_split_validates_if_rows_count_once() -> None:
    rows = {"a": [1.0, 2.0, 3.0, 1.0], "power": [0.0, 5.0, -0.0, 0.0]}
    data = a_table(rows, held_out=[False, False, False, True])
    options = RegressionOptions(deduplicate=True)
    sides = regression.divide(data, regression.choose(data.facts, options), options)
    assert sides.train.tolist() == [1, 2]
    assert sides.validation.tolist() == [3]


def test_zero_and_minus_zero_are_the_same_value() -> None:
    data = a_table({"a": [0.0, -0.0, 1.0, 2.0], "power": [-0.0, 0.0, 3.0, 4.0]})
    options = RegressionOptions(deduplicate=True)
    sides = regression.divide(data, regression.choose(data.facts, options), options)
    assert len(sides.train) + len(sides.validation) == 3


def test_groups_stay_together() -> None:
    station = [f"station {number // 6}" for number in range(48)]
    data = a_table({**WEATHER, "station": station})
    chosen = regression.choose(data.facts, RegressionOptions(group="station"))
    options = RegressionOptions(group="station", validation_fraction=0.2)
    sides = regression.divide(data, chosen, options)
    training = {station[int(row)] for row in sides.train}
    validating = {station[int(row)] for row in sides.validation}
    assert not training & validating
    assert len(validating) == 2
    assert "station" not in {column.name for column in chosen.features}


def test_rows_without_a_target_are_left_out() -> None:
    power = [None if n % 4 == 0 else 2.0 * n for n in range(40)]
    made = prepared(a_table({**LINE, "power": power}))
    count = sum(b.weight for e in (made.train, made.validation) for b in e.in_order(7))
    assert count == 30


def test_a_category_that_is_a_number_may_be_sent_as_one() -> None:
    grades = [str(number % 3) for number in range(40)]
    task = prepared(a_table({**LINE, "grade": grades}), features=["grade"]).task
    quoted, plain = task.encode([{"grade": "2"}, {"grade": 2}]).tensor
    assert torch.equal(quoted, plain)
    assert "in quotes" in wrong(cast("Regression", task), {"grade": 7})["/inputs/0/grade"]


def test_a_restored_task_makes_the_same_tensors() -> None:
    task = prepared(cyclic=["hour"], non_negative=True).task
    again = regression.restore(task.preparation())
    assert again.preparation() == task.preparation()
    assert again.shape == task.shape
    assert torch.equal(again.encode([KNOWN]).tensor, task.encode([KNOWN]).tensor)


def test_an_answer_is_a_value_in_its_unit() -> None:
    data = a_table(units={"power": "kW"})
    (answer,) = answers(cast("Regression", prepared(data).task), KNOWN)
    assert answer.value == pytest.approx(np.mean(cast("Any", WEATHER["power"])), rel=0.2)
    assert answer.unit == "kW"
    assert answer.warnings == []


def test_what_training_never_saw_is_answered_with_a_warning() -> None:
    task = cast("Regression", prepared().task)
    strange = {**KNOWN, "hour": 1e308, "sky": "frogs", "day": "1066-10-14"}
    del strange["wind"]
    (answer,) = answers(task, strange)
    assert answer.value is not None
    assert [warning.split()[0] for warning in answer.warnings] == ["hour", "sky", "the", "wind"]


def test_what_is_near_to_training_or_said_to_be_missing_needs_no_warning() -> None:
    task = cast("Regression", prepared().task)
    (answer,) = answers(task, {**KNOWN, "hour": 24, "wind": None})
    assert answer.warnings == []


def test_a_number_that_stood_for_no_value_in_the_file_does_so_in_an_input() -> None:
    data = a_table()
    form = data.facts.format.model_copy(update={"missing": ["", "NA", "-9900"]})
    data = replace(data, facts=data.facts.model_copy(update={"format": form}))
    task = regression.restore(prepared(data).task.preparation())
    encoded = task.encode([{**KNOWN, "wind": -9900}, {**KNOWN, "wind": None}])
    assert encoded.tensor[0].equal(encoded.tensor[1])
    assert encoded.warnings == [[], []]
    assert "/inputs/0/hour" in wrong(task, {**KNOWN, "hour": -9900.0})


def test_a_preparation_that_names_no_missing_numbers_is_readable() -> None:
    kept = json.loads(prepared().task.preparation())
    del kept["missing"]
    assert regression.restore(json.dumps(kept).encode()).encode([KNOWN]).tensor.isfinite().all()


@pytest.mark.parametrize(
    ("row", "pointer", "said"),
    [
        ({**KNOWN, "hour": None}, "/inputs/0/hour", "never was in training"),
        ({"sky": "rain", "day": "2026-01-01", "wind": 1}, "/inputs/0/hour", "is missing"),
        ({**KNOWN, "hours": 1}, "/inputs/0/hours", "did you mean 'hour'?"),
        ({**KNOWN, "power": 1}, "/inputs/0/power", "leave it out"),
        ({**KNOWN, "hour": "3"}, "/inputs/0/hour", "no finite number"),
        ({**KNOWN, "hour": True}, "/inputs/0/hour", "no finite number"),
        ({**KNOWN, "hour": 10**400}, "/inputs/0/hour", "no finite number"),
        ({**KNOWN, "sky": 3}, "/inputs/0/sky", "in quotes"),
        ({**KNOWN, "day": "yesterday"}, "/inputs/0/day", "RFC 3339"),
        ({**KNOWN, "day": "0001-01-01T00:00:00+09:00"}, "/inputs/0/day", "RFC 3339"),
        ("hour 3", "/inputs/0", "is no row"),
        ([1, 2], "/inputs/0", "is no row"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_place(
    row: object, pointer: str, said: str
) -> None:
    task = cast("Regression", prepared().task)
    errors = wrong(task, row)
    assert list(errors) == [pointer]
    assert said in errors[pointer]


@pytest.mark.parametrize(
    ("options", "pointer", "said"),
    [
        ({"target": "powr"}, "/dataset/target", "did you mean 'power'?"),
        ({"target": "sky"}, "/dataset/target", "classification"),
        ({"features": ["hour", "winds"]}, "/dataset/features/1", "did you mean 'wind'?"),
        ({"features": ["hour", "power"]}, "/dataset/features/1", "the target"),
        ({"features": ["hour", "hour"]}, "/dataset/features/1", "already"),
        ({"group": "stations"}, "/dataset/group", "is no column"),
        ({"group": "power"}, "/dataset/group", "the target"),
        ({"cyclic": ["wind", "sky"]}, "/dataset/cyclic/0", "give {column: period}"),
        ({"cyclic": ["sky"]}, "/dataset/cyclic/0", "no feature that is a number"),
        ({"cyclic": {"hours": 24.0}}, "/dataset/cyclic/hours", "did you mean 'hour'?"),
    ],
)
def test_columns_that_do_not_fit_are_refused_with_their_place(
    options: dict[str, Any], pointer: str, said: str
) -> None:
    errors = errors_of(**options)
    assert list(errors) == [pointer]
    assert said in errors[pointer]


def test_a_value_of_its_own_column_takes_the_memory_of_a_number_in_every_row() -> None:
    columns = {
        "of": [f"town {n % 500}" for n in range(2000)],
        "power": [float(n) for n in range(2000)],
    }
    facts = a_table(columns).facts
    vectors, one_hot = (
        regression.TASK.data_bytes(facts, RegressionOptions.model_validate({"categorical": how}))
        for how in ("embedding", "one_hot")
    )
    assert one_hot - vectors == 4 * 2000 * (500 - 1)


def test_text_columns_are_left_out_or_refused() -> None:
    data = a_table(kinds={"sky": "text"})
    assert "sky" not in {
        column.name for column in regression.choose(data.facts, RegressionOptions()).features
    }
    assert "labelled_text" in errors_of(data, features=["sky"])["/dataset/features/0"]


@pytest.mark.parametrize("value", [5.0, None])
def test_a_target_of_one_value_is_refused(value: float | None) -> None:
    data = a_table({**LINE, "power": [value] * 40}, kinds={"power": "number"})
    assert "nothing to learn" in errors_of(data)["/dataset/target"]


def _rows(made: Prepared, batches: Any) -> list[tuple[float, float]]:
    return [
        (round(a, 5), round(b, 5))
        for batch in batches
        for a, b in zip(batch.inputs[:, 0].tolist(), batch.targets.tolist(), strict=True)
    ]
