"""How the columns of a table become numbers: fixed by the training rows, kept with the model.

Numbers are standardised. What is missing is the mean, and says so in a column of its own where
training had such rows. What comes round is sine and cosine. A date is its year and, coming round,
its month, day of the week and hour. A category is its place among the values seen in training.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, JsonValue

from service.domain.base import Outgoing
from service.domain.problems import invalid_field
from service.domain.shapes import Axis, TableShape
from service.tasks.table_columns import Chosen

Numbers = NDArray[np.float64]
Values = Numbers | Sequence[str | None]
"""A column: NaN or None where a value is missing."""

MAX_NUMBERS = 20_000
"""A row has no more; other columns than categories make fewer."""

MARGIN = 0.1
"""So much of the training range may a number lie outside of it without a warning."""

_MOST = 1e4  # deviations; n rows lie at most √n from their mean, so none of training is cut off


class NumberFeature(Outgoing):
    """A number, standardised; with a deviation of 0 the column says nothing."""

    kind: Literal["number"] = "number"
    column: str
    mean: float
    deviation: float
    low: float
    high: float
    missing: bool

    @property
    def names(self) -> list[str]:
        """What its numbers are called."""
        return [self.column, *_missing_name(self)]

    def encode(self, values: Values) -> Numbers:
        """Return (rows, numbers)."""
        numbers = np.asarray(values, dtype=np.float64)
        return _with_missing(self, [_standardised(numbers, self.mean, self.deviation)], numbers)


class CyclicFeature(Outgoing):
    """A number that comes round after a period, as its place on a circle."""

    kind: Literal["cyclic"] = "cyclic"
    column: str
    period: float
    low: float
    high: float
    missing: bool

    @property
    def names(self) -> list[str]:
        """What its numbers are called."""
        return [*_circle_names(self.column), *_missing_name(self)]

    def encode(self, values: Values) -> Numbers:
        """Return (rows, numbers)."""
        numbers = np.asarray(values, dtype=np.float64)
        return _with_missing(self, _circle(numbers, self.period), numbers)


class DateFeature(Outgoing):
    """A date or a time, in UTC where it is written with its zone."""

    kind: Literal["date"] = "date"
    column: str
    mean: float = Field(description="Of the years.")
    deviation: float
    low: float
    high: float
    hours: bool = Field(description="Whether training had times of day.")
    missing: bool

    @property
    def names(self) -> list[str]:
        """What its numbers are called."""
        parts = ["month", "weekday", *(["hour"] if self.hours else [])]
        circles = [name for part in parts for name in _circle_names(f"{self.column} {part}")]
        return [f"{self.column} year", *circles, *_missing_name(self)]

    def encode(self, values: Values) -> Numbers:
        """Return (rows, numbers)."""
        year, month, weekday, hour = dates(values).T
        circles = [*_circle(month, 12), *_circle(weekday, 7)]
        if self.hours:
            circles += _circle(hour, 24)
        return _with_missing(self, [_standardised(year, self.mean, self.deviation), *circles], year)


class CategoryFeature(Outgoing):
    """One of some values: its place, most frequent first; one place more where some are missing.

    A value that training never had counts as missing; if none was, as the most frequent one.
    """

    kind: Literal["category"] = "category"
    column: str
    values: Annotated[list[str], Field(fail_fast=True)]
    one_hot: bool
    missing: bool

    @property
    def value_names(self) -> list[str]:
        """What its places are called."""
        return [*(f"{self.column}={value}" for value in self.values), *_missing_name(self)]

    @property
    def names(self) -> list[str]:
        """What its numbers are called: of a 0 or 1 each, of a learned vector there are none."""
        return self.value_names if self.one_hot else []

    @property
    def size(self) -> int:
        """Count its places."""
        return len(self.values) + self.missing

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Find the place of a value."""
        return {value: place for place, value in enumerate(self.values)}

    def codes(self, values: Values) -> NDArray[np.int64]:
        """Return (rows,) places."""
        other = len(self.values) if self.missing else 0
        find = self.places.get
        return np.array([find(str(value), other) for value in values], dtype=np.int64)


Feature = Annotated[
    NumberFeature | CyclicFeature | DateFeature | CategoryFeature, Field(discriminator="kind")
]


class Features(Outgoing):
    """All columns that a model sees."""

    features: list[Feature]
    missing: list[float] = Field(default=[], description="Numbers that say there is no value.")

    @property
    def number_names(self) -> list[str]:
        """What the numbers of a row are called, in their order."""
        return [name for feature in self.features for name in feature.names]

    @property
    def embedded(self) -> list[CategoryFeature]:
        """The categories that stand behind the numbers, to be looked up."""
        categories = [each for each in self.features if each.kind == "category"]
        return [each for each in categories if not each.one_hot]

    def shape(self, outputs: int) -> TableShape:
        """Numbers and categories in, so many outputs out."""
        categories = tuple(each.size for each in self.embedded)
        return TableShape(numbers=len(self.number_names), categories=categories, outputs=outputs)

    def names(self, outputs: Sequence[str]) -> Mapping[Axis, Sequence[str]]:
        """The numbers of a row, the values of its categories, and what comes out."""
        return {
            "numbers": self.number_names,
            "categories": [name for each in self.embedded for name in each.value_names],
            "classes": outputs,
        }

    def encode(self, columns: Mapping[str, Values]) -> NDArray[np.float32]:
        """Return rows (count, numbers + categories)."""
        embedded = self.embedded
        rows = len(columns[self.features[0].column])
        encoded = np.zeros((rows, len(self.number_names) + len(embedded)), dtype=np.float32)
        at = 0
        for feature in self.features:
            values = columns[feature.column]
            if feature.kind != "category":
                part = feature.encode(values)
                encoded[:, at : at + part.shape[1]] = part
                at += part.shape[1]
            elif feature.one_hot:
                encoded[np.arange(rows), at + feature.codes(values)] = 1
                at += feature.size
        for place, feature in enumerate(embedded, start=at):
            encoded[:, place] = feature.codes(columns[feature.column])
        return encoded


def fit(chosen: Chosen, columns: Mapping[str, Values]) -> Features:
    """Measure the columns of the rows that train."""
    features: list[Feature] = []
    for column in chosen.features:
        name, values = column.name, columns[column.name]
        if column.kind == "number":
            features.append(_fit_number(name, values, chosen.periods.get(name)))
        elif column.kind == "date":
            features.append(_fit_date(name, values))
        else:
            features.append(_fit_category(name, values, chosen.categorical == "one_hot"))
    return Features(features=features, missing=[*chosen.missing])


def restored(prepared: Mapping[str, JsonValue]) -> Features:
    """Read the columns of a preparation; older ones do not say what stands for no value."""
    kept = {name: prepared[name] for name in Features.model_fields if name in prepared}
    return Features.model_validate(kept)


def widths(chosen: Chosen) -> tuple[int, tuple[int, ...]]:
    """Tell from the facts how many numbers and categories a row has at most.

    Raises Invalid where these are too many numbers.
    """
    numbers, categories = 0, list[int]()
    for column in chosen.features:
        missing = int(column.missing > 0)
        if column.kind == "number":
            numbers += (2 if column.name in chosen.periods else 1) + missing
        elif column.kind == "date":
            numbers += 7 + missing
        elif chosen.categorical == "one_hot":
            numbers += column.distinct + missing
        else:
            categories.append(column.distinct + missing)
    if numbers > MAX_NUMBERS:
        detail = f"makes {numbers:,} numbers of a row, more than {MAX_NUMBERS:,}; take embedding"
        raise invalid_field("/dataset/categorical", detail)
    return numbers, tuple(categories)


def dates(values: Values) -> Numbers:
    """Return year, month (0…11), day of the week and hour of each date; NaN where there is none.

    Raises ValueError for what is no date of RFC 3339.
    """
    known: dict[str | None, tuple[float, ...]] = {None: (math.nan,) * 4}
    for value in values:
        if value is not None and value not in known:
            known[str(value)] = _parts(str(value))
    rows = [known[None if value is None else str(value)] for value in values]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def measure(values: Numbers) -> tuple[float, float, float, float]:
    """Return mean, standard deviation, minimum and maximum of what is not missing."""
    there = values[~np.isnan(values)]
    if not len(there):
        return 0.0, 0.0, 0.0, 0.0
    low, high = float(there.min()), float(there.max())
    scale = max(abs(low), abs(high)) or 1.0  # squares of large numbers would be infinite
    mean = float((there / scale).mean()) * scale
    deviation = float((there / scale).std()) * scale if low < high else 0.0
    return mean, deviation, low, high


def _fit_number(name: str, values: Values, period: float | None) -> Feature:
    numbers = np.asarray(values, dtype=np.float64)
    mean, deviation, low, high = measure(numbers)
    missing = bool(np.isnan(numbers).any())
    if period is not None:
        return CyclicFeature(column=name, period=period, low=low, high=high, missing=missing)
    return NumberFeature(
        column=name, mean=mean, deviation=deviation, low=low, high=high, missing=missing
    )


def _fit_date(name: str, values: Values) -> DateFeature:
    years, _, _, hours = dates(values).T
    mean, deviation, low, high = measure(years)
    return DateFeature(
        column=name,
        mean=mean,
        deviation=deviation,
        low=low,
        high=high,
        hours=bool((hours > 0).any()),
        missing=bool(np.isnan(years).any()),
    )


def _fit_category(name: str, values: Values, one_hot: bool) -> CategoryFeature:
    # Not by NumPy: every text would take the room of the longest.
    counts = Counter(str(value) for value in values if value is not None)
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    missing = counts.total() < len(values)
    return CategoryFeature(column=name, values=ordered, one_hot=one_hot, missing=missing)


def _parts(written: str) -> tuple[float, ...]:
    moment = datetime.fromisoformat(written.upper())  # RFC 3339 has `t` and `z`, too
    if moment.tzinfo is not None:
        try:
            moment = moment.astimezone(UTC)
        except OverflowError as error:
            message = "lies outside of the years 1 to 9999"
            raise ValueError(message) from error
    return moment.year, moment.month - 1, moment.weekday(), moment.hour + moment.minute / 60


def _standardised(numbers: Numbers, mean: float, deviation: float) -> Numbers:
    if not deviation:
        return np.zeros(len(numbers))
    with np.errstate(over="ignore"):
        return np.clip((numbers - mean) / deviation, -_MOST, _MOST)


def _circle(numbers: Numbers, period: float) -> list[Numbers]:
    angles = 2 * np.pi * np.remainder(numbers, period) / period
    return [np.sin(angles), np.cos(angles)]


def _circle_names(name: str) -> list[str]:
    return [f"{name} sine", f"{name} cosine"]


def _missing_name(feature: Feature) -> list[str]:
    return [f"{feature.column} missing"] if feature.missing else []


def _with_missing(feature: Feature, parts: Sequence[Numbers], numbers: Numbers) -> Numbers:
    absent = np.isnan(numbers)
    known = [np.where(absent, 0.0, part) for part in parts]
    return np.stack([*known, *([absent.astype(np.float64)] if feature.missing else [])], axis=1)
