"""Rows in a JSON body become the file that they would have been: CSV in UTF-8, always the same."""

import csv
from collections.abc import Sequence
from io import StringIO
from typing import cast

from pydantic import JsonValue

from service.datasets.csv_format import MAX_COLUMNS
from service.domain.problems import FieldError, Invalid, invalid_field, pointer_to
from service.domain.text import clean

MAX_ABSENT = 10_000_000
"""So many cells may be empty because an object has no such key: a file has them all."""

_MAX_ERRORS = 100


def as_csv(rows: Sequence[JsonValue]) -> bytes:
    """Write rows: all objects, whose keys name the columns, or all lists. Raises Invalid."""
    written = StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    errors: list[FieldError] = []
    objects = bool(rows) and isinstance(rows[0], dict)
    names = _names(rows) if objects else {}
    if objects:
        writer.writerow([_cell(name, ("rows",), errors) for name in names])
    for number, row in enumerate(rows):
        if isinstance(row, dict) and objects:
            cells: list[tuple[str | int, JsonValue]] = [(name, row.get(name)) for name in names]
        elif isinstance(row, list) and not objects:
            cells = [*enumerate(row)]
        else:
            detail = "must be an object" if objects else "must be a list"
            errors.append(_error(("rows", number), f"{detail}, as the first row is"))
            continue
        writer.writerow([_cell(value, ("rows", number, key), errors) for key, value in cells])
        if len(errors) >= _MAX_ERRORS:
            break
    if errors:
        detail = f"The rows cannot be read: {errors[0].pointer} {errors[0].detail}."
        raise Invalid(detail, errors=errors[:_MAX_ERRORS])
    return written.getvalue().encode()


def _names(rows: Sequence[JsonValue]) -> dict[str, None]:
    """Return the keys of all objects, in the order in which they come. Raises Invalid."""
    names: dict[str, None] = {}
    there = 0
    for number, row in enumerate(rows):
        if isinstance(row, dict):
            names |= dict.fromkeys(row)
            there += len(row)
        if len(names) > MAX_COLUMNS:
            detail = f"makes more than {MAX_COLUMNS:,} columns: each key is one, of every row"
            raise invalid_field(pointer_to(("rows", number)), detail)
    absent = len(names) * len(rows) - there
    if absent > MAX_ABSENT:
        detail = f"lack {absent:,} cells of {len(names):,} columns; send lists, or a file"
        raise invalid_field("/rows", detail)
    return names


def _cell(value: JsonValue, where: tuple[str | int, ...], errors: list[FieldError]) -> str:
    """Write a value as files do: nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        try:
            return clean(value)
        except ValueError as error:
            errors.append(_error(where, str(error)))
            return ""
    if isinstance(value, int | float):
        return repr(cast("float", value))
    errors.append(_error(where, "must be a string, a number, true, false or null"))
    return ""


def _error(where: tuple[str | int, ...], detail: str) -> FieldError:
    return FieldError(pointer=pointer_to(where), detail=detail)
