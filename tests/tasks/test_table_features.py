"""Columns become numbers by what training saw, and by nothing else."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# torch leaves tolist untyped.

import math
import tracemalloc
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.problems import Invalid
from service.tasks import table_columns, table_features
from service.tasks.table_features import CategoryFeature, Features
from service.tasks.table_options import TableOptions
from tests.tasks.tables import Cells, a_table

TARGET = {"power": [1.0, 2.0, 3.0, 4.0]}
NUMBERS = st.floats(-1e300, 1e300) | st.none()
WORDS = st.sampled_from(["clear", "rain", "눈", "a=b"]) | st.none()
DATES = st.dates(date(1900, 1, 1), date(2100, 1, 1)).map(date.isoformat) | st.none()
ROWS = st.lists(st.tuples(NUMBERS, WORDS, DATES), min_size=2, max_size=20)


def fitted(columns: dict[str, Cells], **options: object) -> Features:
    data = a_table({**columns, **TARGET})
    chosen = table_columns.choose(data.facts, TableOptions.model_validate(options))
    return table_features.fit(chosen, data.columns)


def test_numbers_are_standardised_by_the_training_rows() -> None:
    features = fitted({"wind": [1, 2, 3, 6]})
    found = features.encode({"wind": np.array([1.0, 2, 3, 6])})[:, 0]
    assert found.mean() == pytest.approx(0, abs=1e-7)
    assert found.std() == pytest.approx(1)
    assert features.encode({"wind": np.array([3.0])}).tolist() == [[0]]


def test_a_missing_number_is_the_mean_and_says_so() -> None:
    features = fitted({"wind": [1, None, 3, None]})
    assert features.number_names == ["wind", "wind missing"]
    assert features.encode({"wind": np.array([np.nan, 2.0])}).tolist() == [[0, 1], [0, 0]]


def test_what_comes_round_lies_on_a_circle() -> None:
    features = fitted({"hour": [0, 5, 12, 23]}, cyclic=["hour"])
    midnight, late, six = features.encode({"hour": np.array([0.0, 24, 6])})
    assert midnight == pytest.approx([0, 1])
    assert late == pytest.approx(midnight, abs=1e-6)
    assert six == pytest.approx([1, 0], abs=1e-6)


def test_a_date_is_its_year_and_its_place_in_year_week_and_day() -> None:
    days = ["2025-01-06", "2026-07-12T18:00:00Z", "2026-01-05", "2025-07-13"]
    features = fitted({"day": days})
    first, second, third, _ = features.encode({"day": days})
    assert features.number_names[1:3] == ["day month sine", "day month cosine"]
    assert first[0] == pytest.approx(-third[0])  # years
    assert first[1:5] == pytest.approx(third[1:5])  # a Monday in January
    assert first[1:3] == pytest.approx([0, 1])
    assert second[1:3] == pytest.approx([0, -1], abs=1e-6)
    assert second[5:7] == pytest.approx([-1, 0], abs=1e-6)


def test_a_time_with_a_zone_is_told_in_utc() -> None:
    zoned = ["2026-01-01T03:00:00+09:00", "2025-12-31t18:00:00z", "2025-12-31T18:00:00"]
    here, there, plain = table_features.dates(zoned).tolist()
    assert here == there == plain == [2025, 11, 2, 18]
    with pytest.raises(ValueError, match="years"):
        table_features.dates(["0001-01-01T00:00:00+09:00"])


def test_dates_without_times_have_no_hour() -> None:
    features = fitted({"day": ["2025-01-06", "2026-07-12", "2026-01-05", None]})
    assert not any("hour" in name for name in features.number_names)
    assert features.encode({"day": [None]}).tolist() == [[0, 0, 0, 0, 0, 1]]


def test_categories_are_places_behind_the_numbers() -> None:
    features = fitted({"sky": ["rain", "rain", None, "clear"], "wind": [1, 2, 3, 4]})
    found = features.encode({"sky": ["rain", "clear", None, "fog"], "wind": np.zeros(4)})
    assert found[:, -1].tolist() == [0, 1, 2, 2]
    assert [each.size for each in features.embedded] == [3]


def test_one_hot_categories_are_numbers() -> None:
    features = fitted({"sky": ["rain", "rain", "clear", "clear"]}, categorical="one_hot")
    assert features.number_names == ["sky=clear", "sky=rain"]
    assert features.encode({"sky": ["rain", "clear"]}).tolist() == [[0, 1], [1, 0]]
    assert features.embedded == []


def test_one_hot_needs_hardly_more_memory_than_its_numbers() -> None:
    values = [f"{number % 1000}" for number in range(4000)]
    feature = CategoryFeature(column="sky", values=values[:1000], one_hot=True, missing=False)
    tracemalloc.start()
    encoded = Features(features=[feature]).encode({"sky": values})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * encoded.nbytes
    assert encoded.argmax(axis=1).tolist() == [*range(1000)] * 4
    assert (encoded.sum(axis=1) == 1).all()


def test_one_hot_of_too_many_values_is_refused() -> None:
    cells = {f"c{number}": ["a", "b", "c", "d"] for number in range(5001)}
    data = a_table({**cells, **TARGET})
    chosen = table_columns.choose(data.facts, TableOptions(categorical="one_hot"))
    with pytest.raises(Invalid, match="/dataset/categorical makes 20,004 numbers"):
        table_features.widths(chosen)


def test_a_value_never_seen_is_the_most_frequent_where_none_was_missing() -> None:
    features = fitted({"sky": ["rain", "rain", "rain", "clear"]})
    assert features.encode({"sky": ["fog", "rain", "clear"]}).tolist() == [[0], [0], [1]]


@pytest.mark.parametrize(
    ("name", "cells", "period"),
    [
        ("hour", [0, 1, 2, 3], 24),
        ("Hours of Sun", [0, 1, 2, 3], 24),
        ("wind_direction_deg", [0, 10, 20, 350], 360),
        ("day_of_week", [0, 1, 2, 3], 7),
        ("when", [0, 5, 7, 23], 24),
        ("mm", [1, 5, 7, 12], 12),
    ],
)
def test_a_period_is_told_by_the_name_or_the_range(name: str, cells: Cells, period: float) -> None:
    (feature,) = fitted({name: cells}, cyclic=[name]).features
    assert feature.kind == "cyclic"
    assert feature.period == period


@given(ROWS, ROWS, st.sampled_from(["embedding", "one_hot"]))
def test_restored_features_encode_every_row_alike_and_finite(
    rows: list[tuple[float | None, str | None, str | None]],
    others: list[tuple[float | None, str | None, str | None]],
    categorical: str,
) -> None:
    names = ["wind", "sky", "day"]
    data = a_table(
        {
            **{name: [row[at] for row in rows] for at, name in enumerate(names)},
            "power": list(range(len(rows))),
        },
        kinds={"wind": "number", "sky": "category"},
    )
    options = TableOptions.model_validate({"features": names, "categorical": categorical})
    chosen = table_columns.choose(data.facts, options)
    typed = {
        "wind": np.array([math.nan if row[0] is None else row[0] for row in rows]),
        "sky": [row[1] for row in rows],
        "day": [row[2] for row in rows],
    }
    features = table_features.fit(chosen, typed)
    again = Features.model_validate_json(features.model_dump_json())
    new = {
        "wind": np.array([math.nan if row[0] is None else row[0] for row in others]),
        "sky": [row[1] for row in others],
        "day": [row[2] for row in others],
    }
    assert again.encode(new).tobytes() == features.encode(new).tobytes()
    assert np.isfinite(features.encode(new)).all()
    assert len(features.number_names) + len(features.embedded) == features.encode(new).shape[1]
    sizes = np.array([each.size for each in features.embedded], dtype=np.float32)
    places = features.encode(typed)[:, len(features.number_names) :]
    assert (places < sizes).all()


def test_a_column_that_is_constant_in_training_says_nothing() -> None:
    features = fitted({"wind": [0.1, 0.1, 0.1, 0.1]}, features=["wind"])
    assert features.encode({"wind": np.array([0.1, 7e300])}).tolist() == [[0], [0]]
