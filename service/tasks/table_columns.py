"""Which columns of a table a job learns from, and what: told from the facts, before the data."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite

from pydantic import JsonValue

from service.domain.datasets import Column, TableFacts
from service.domain.problems import FieldError, Invalid, invalid_field, pointer_to
from service.tasks.table_options import Categorical, TableOptions

MAX_CLASSES = 1000
FEW_VALUES = 20
"""A column of numbers with more of them is measured, one with fewer may be a class."""

_SHOWN = 20
_NAMED_PERIODS: Mapping[str, float] = {
    "hour": 24,
    "month": 12,
    "minute": 60,
    "second": 60,
    "weekday": 7,
    "yearday": 365.25,
    "week": 365.25 / 7,
    "direction": 360,
    "azimuth": 360,
    "bearing": 360,
    "angle": 360,
}
_KNOWN_RANGES: Mapping[tuple[float, float], float] = {
    (0, 23): 24,
    (1, 24): 24,
    (1, 12): 12,
    (0, 59): 60,
    (0, 6): 7,
    (1, 7): 7,
    (0, 360): 360,
    (0, 359): 360,
    (1, 360): 360,
}


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The columns of a job. `periods` has those that come round."""

    target: Column
    features: list[Column]
    periods: Mapping[str, float]
    group: str | None
    categorical: Categorical
    missing: list[float]
    """Numbers that say there is no value."""


def choose(facts: TableFacts, options: TableOptions) -> Chosen:
    """Choose the columns. Raises Invalid with pointers below /dataset."""
    columns = {column.name: column for column in facts.columns}
    target = find_target(facts, options.target)
    if target.distinct < 2:
        detail = "has no value in any row" if not target.distinct else "has one value only"
        raise invalid_field("/dataset/target", f"{detail}: there is nothing to learn")
    taken = {target.name: "the target"}
    if facts.format.split is not None:
        taken[facts.format.split] = "the split"
        if target.name == facts.format.split:
            raise invalid_field("/dataset/target", "is the column of the split; name another")
    if options.group is not None:
        _check_group(columns, options.group, facts, taken)
        taken[options.group] = "the group"
    features = (
        [each for each in facts.columns if each.name not in taken and _is_usable(each)]
        if options.features is None
        else _named_features(columns, options.features, taken)
    )
    if not features:
        detail = "has no column left to learn from: numbers, categories or dates with two values"
        raise invalid_field("/dataset/features" if options.features else "/dataset", detail)
    return Chosen(
        target=target,
        features=features,
        periods=_periods(columns, features, options.cyclic),
        group=options.group,
        categorical=options.categorical,
        missing=_numbers(facts.format.missing),
    )


def find_target(facts: TableFacts, target: str | None) -> Column:
    """Find the column to learn. Raises Invalid with the nearest name."""
    columns = {column.name: column for column in facts.columns}
    name = facts.target if target is None else target
    if name not in columns:
        raise invalid_field("/dataset/target", f"is no column; {nearest(columns, name)}")
    return columns[name]


def is_measured(column: Column) -> bool:
    """Tell whether a column is a number to be estimated rather than one of a few classes."""
    return column.kind == "number" and column.distinct > FEW_VALUES


def asks_for_a_number(facts: TableFacts, options: Mapping[str, JsonValue]) -> bool:
    """Tell whether a job that names no task means to estimate a number.

    So does one whose target there is not: the options are read next, and say what is wrong.
    """
    target = options.get("target")
    try:
        return is_measured(find_target(facts, target if isinstance(target, str) else None))
    except Invalid:
        return True


def nearest(known: Iterable[str], name: str) -> str:
    """Say which name is meant by one that is not known, or which there are."""
    names = sorted(known)
    found = get_close_matches(name[:200], names, n=1, cutoff=0.5)
    if found:
        return f"did you mean {found[0]!r}?"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"there are: {', '.join(names[:_SHOWN])}{more}"


def _numbers(spellings: Iterable[str]) -> list[float]:
    found: set[float] = set()
    for spelling in spellings:
        with suppress(ValueError):
            found.add(float(spelling))
    return sorted(number for number in found if isfinite(number))


def _is_usable(column: Column) -> bool:
    return column.kind != "text" and column.distinct > 1


def _check_group(
    columns: Mapping[str, Column], group: str, facts: TableFacts, taken: Mapping[str, str]
) -> None:
    if group not in columns:
        raise invalid_field("/dataset/group", f"is no column; {nearest(columns, group)}")
    if group in taken:
        raise invalid_field("/dataset/group", f"is the column of {taken[group]}; name another")
    if facts.test_rows:
        detail = "has no use: the dataset says itself which rows validate; leave it out"
        raise invalid_field("/dataset/group", detail)
    if columns[group].distinct < 2:
        detail = "has one value only, so its rows cannot be parted; name another column"
        raise invalid_field("/dataset/group", detail)


def _named_features(
    columns: Mapping[str, Column], names: list[str], taken: Mapping[str, str]
) -> list[Column]:
    errors: list[FieldError] = []
    for number, name in enumerate(names):
        detail = None
        if name not in columns:
            detail = f"is no column; {nearest(columns, name)}"
        elif name in taken:
            detail = f"is the column of {taken[name]}, which is not learned from; leave it out"
        elif names.index(name) < number:
            detail = "is there already; leave it out"
        elif columns[name].kind == "text":
            detail = (
                "holds text with too many different values for a category, and no model of rows "
                "reads text; leave it out, or upload the file as labelled_text"
            )
        if detail is not None:
            errors.append(FieldError(pointer=f"/dataset/features/{number}", detail=detail))
    if errors:
        first = f"{errors[0].pointer} {errors[0].detail}"
        raise Invalid(f"The features do not fit: {first}.", errors=errors[:100])
    return [columns[name] for name in names]


def _periods(
    columns: Mapping[str, Column],
    features: list[Column],
    cyclic: list[str] | dict[str, float] | None,
) -> dict[str, float]:
    if cyclic is None:
        return {}
    given: dict[str, float | None] = (
        {**cyclic} if isinstance(cyclic, dict) else dict.fromkeys(cyclic)
    )
    found: dict[str, float] = {}
    for number, (name, period) in enumerate(given.items()):
        place = name if isinstance(cyclic, dict) else number
        pointer = pointer_to(["dataset", "cyclic", place])
        if name not in columns:
            raise invalid_field(pointer, f"is no column; {nearest(columns, name)}")
        if columns[name] not in features or columns[name].kind != "number":
            detail = "is no feature that is a number; leave it out"
            raise invalid_field(pointer, detail)
        known = period or _period_of(columns[name])
        if known is None:
            detail = "does not tell its period by its name or its values; give {column: period}"
            raise invalid_field(pointer, detail)
        found[name] = known
    return found


def _period_of(column: Column) -> float | None:
    """Find a period by the words of a name, else by the smallest and the largest value."""
    name = column.name.lower().replace("-", "_").replace(" ", "_")
    name = name.replace("day_of_week", "weekday").replace("dayofweek", "weekday")
    name = name.replace("day_of_year", "yearday").replace("dayofyear", "yearday")
    for word in name.split("_"):
        period = _NAMED_PERIODS.get(word) or _NAMED_PERIODS.get(word.removesuffix("s"))
        if period is not None:
            return period
    if column.minimum is None or column.maximum is None:
        return None
    return _KNOWN_RANGES.get((column.minimum, column.maximum))
