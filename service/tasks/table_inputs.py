"""Rows that a client sends to be answered: checked against what the model was trained on."""

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from pydantic import JsonValue

from service.domain.predictions import Input
from service.domain.problems import FieldError, Invalid, pointer_to
from service.tasks.base import Encoded
from service.tasks.table_columns import nearest
from service.tasks.table_features import (
    MARGIN,
    CategoryFeature,
    Feature,
    Features,
    Values,
    dates,
)

_MAX_ERRORS = 100
_SHOWN = 200  # characters of a name that we do not know


class Rows(NamedTuple):
    """The columns of all inputs, and what was noticed about each input."""

    columns: dict[str, Values]
    warnings: list[list[str]]


class _Wrong(Exception):  # noqa: N818  it is told, not raised to callers
    """What is wrong with one value."""


def encode_rows(inputs: Sequence[Input], features: Features, target: str) -> Encoded:
    """Make a tensor of rows that a client sent. Raises Invalid naming each wrong one."""
    rows = read_rows(inputs, features, target)
    tensor = torch.from_numpy(features.encode(rows.columns))  # pyright: ignore[reportUnknownMemberType]
    return Encoded(tensor, [1] * len(inputs), [[] for _ in inputs], rows.warnings)


def read_rows(inputs: Sequence[Input], features: Features, target: str) -> Rows:
    """Read inputs such as `{"hour": 12, "sky": "clear"}`. Raises Invalid naming each wrong one.

    A feature may be missing, or null, or a number that stands for no value in the dataset, where it
    was missing in training; other ones may not.
    """
    columns: dict[str, list[JsonValue]] = {each.column: [] for each in features.features}
    warnings: list[list[str]] = []
    errors: list[FieldError] = []
    for number, row in enumerate(inputs):
        noticed: list[str] = []
        if isinstance(row, dict):
            given = {
                unicodedata.normalize("NFC", name): None if _is_absent(value, features) else value
                for name, value in row.items()
            }
            errors.extend(_unknown(given, columns, target, number))
            for feature in features.features:
                try:
                    columns[feature.column].append(_read(feature, given, noticed))
                except _Wrong as wrong:
                    pointer = pointer_to(["inputs", number, feature.column])
                    errors.append(FieldError(pointer=pointer, detail=str(wrong)))
        else:
            detail = "is no row; send an object of features: {column: value}"
            errors.append(FieldError(pointer=f"/inputs/{number}", detail=detail))
        warnings.append(noticed)
        if len(errors) >= _MAX_ERRORS:
            break
    if errors:
        first = f"{errors[0].pointer} {errors[0].detail}"
        raise Invalid(f"The inputs cannot be read: {first}.", errors=errors[:_MAX_ERRORS])
    return Rows({each.column: _column(each, columns) for each in features.features}, warnings)


def _column(feature: Feature, columns: Mapping[str, list[JsonValue]]) -> Values:
    values = columns[feature.column]
    if feature.kind in {"number", "cyclic"}:
        numbers = [value if isinstance(value, float) else math.nan for value in values]
        return np.array(numbers, dtype=np.float64)
    return [value if isinstance(value, str) else None for value in values]


def _unknown(
    given: Mapping[str, JsonValue], known: Mapping[str, object], target: str, number: int
) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in given:
        if name in known:
            continue
        detail = f"is no feature of this model; {nearest(known, name)}"
        if name == target:
            detail = "is what the model tells; leave it out"
        pointer = pointer_to(["inputs", number, name[:_SHOWN]])
        errors.append(FieldError(pointer=pointer, detail=detail))
        if len(errors) >= _MAX_ERRORS:
            break
    return errors


def _is_absent(value: JsonValue, features: Features) -> bool:
    """Tell whether a number says that there is no value, as it did in training."""
    return type(value) in {int, float} and value in features.missing


def _read(feature: Feature, given: Mapping[str, JsonValue], noticed: list[str]) -> JsonValue:
    """Return a number, a text or None. Raises _Wrong."""
    value = given.get(feature.column)
    if value is None:
        if not feature.missing:
            message = "is missing, which it never was in training; send a value"
            raise _Wrong(message)
        if feature.column not in given:
            noticed.append(f"{feature.column} is missing")
        return None
    if isinstance(feature, CategoryFeature):
        return _category(feature, value, noticed)
    number = _year(value) if feature.kind == "date" else _number(value)
    margin = MARGIN * (feature.high - feature.low)
    if not feature.low - margin <= number <= feature.high + margin:
        what = "the year of " if feature.kind == "date" else ""
        noticed.append(
            f"{what}{feature.column} is {number:g}, far outside of what training had: "
            f"{feature.low:g} to {feature.high:g}"
        )
    return value if feature.kind == "date" else number


def _category(feature: CategoryFeature, value: JsonValue, noticed: list[str]) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = json.dumps(value)  # 3 may be a category, too
        if value not in feature.places:
            value = None
    if not isinstance(value, str):
        message = "is no text; this feature is a category: send one of its values in quotes"
        raise _Wrong(message)
    text = unicodedata.normalize("NFC", value).strip()
    if text not in feature.places:
        taken_for = "a missing value" if feature.missing else "the most frequent value"
        noticed.append(
            f"{feature.column} is {_short(text)!r}, which training never had; it is taken for "
            f"{taken_for}"
        )
    return text


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _number(value: JsonValue) -> float:
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    if not math.isfinite(number):
        message = "is no finite number; send one without quotes"
        raise _Wrong(message)
    return number


def _year(value: JsonValue) -> float:
    if isinstance(value, str):
        try:
            return float(dates([value])[0, 0])
        except ValueError:
            pass
    message = "is no date; write it as RFC 3339 does: 2026-01-31 or 2026-01-31T12:00:00Z"
    raise _Wrong(message)
