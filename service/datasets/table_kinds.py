"""What a column of a table is: a number, a category, a date or text; and what is known of it."""

import polars as pl
import polars.selectors as cs

from service.domain.datasets import Column, ColumnKind

MAX_CATEGORIES = 1000
"""A column of more different values is text, and so is one whose values hardly come again."""

MAX_LETTERS = 512
"""A longer value is no category."""

_ZONED = "%+"  # RFC 3339 with its zone, as chrono calls it

DATES = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y.%m.%d",
    "%Y%m%d",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y",
    "%d/%m/%Y %H:%M",
    _ZONED,
)
"""How dates may be written; the first that reads all of a column is taken, in UTC."""

_YEARS = (1, 9999)  # those that Python's dates have

_RFC_3339 = "%Y-%m-%dT%H:%M:%SZ"
_PROBE = 100


def distinct_numbers(frame: pl.DataFrame) -> dict[str, int]:
    """Count the different values of every column of numbers, on all cores."""
    counted = frame.select(cs.float().drop_nulls().n_unique())
    return {name: int(counted[name][0]) for name in counted.columns}


def describe(
    series: pl.Series,
    kind: ColumnKind | None,
    unit: str | None,
    distinct: int | None,
    *,
    is_target: bool = False,
) -> Column:
    """Return what is known of a column; `kind` is what the user said it is.

    `distinct` counts the different values of numbers. A target is a category even if its values are
    too long: so it is told.
    """
    missing = series.null_count()
    if distinct is not None:
        least, most = series.min(), series.max()
        return Column(
            name=series.name,
            kind="number",
            missing=missing,
            distinct=distinct,
            minimum=least if isinstance(least, float) else None,
            maximum=most if isinstance(most, float) else None,
            unit=unit,
        )
    counts = series.drop_nulls().alias("value").value_counts(name="count")
    found = kind or _kind(series, distinct=counts.height)
    if found == "category" and kind is None and not is_target and _has_long(counts["value"]):
        found = "text"
    values: list[str] = []
    if found == "category":
        ordered = counts.sort(["count", "value"], descending=[True, False])
        values = ordered["value"].to_list()
    return Column(
        name=series.name,
        kind=found,
        missing=missing,
        distinct=counts.height,
        values=values,
        unit=unit,
    )


def date_format(series: pl.Series) -> str | None:
    """Find how the dates of a column are written; None if they are not all dates."""
    values = series.drop_nulls()
    if not len(values):
        return None
    probe = values.head(_PROBE)
    for written in DATES:
        if _parsed(probe, written).null_count() == 0 and not _parsed(values, written).null_count():
            return written
    return None


def first_that_is_no_date(series: pl.Series) -> int | None:
    """Find a cell that the way in which most dates of a column are written does not read."""
    if not (series.len() - series.null_count()) or date_format(series) is not None:
        return None
    values = series.drop_nulls()
    usual = min(DATES, key=lambda written: _parsed(values, written).null_count())
    return int((_parsed(series, usual).is_null() & series.is_not_null()).arg_true()[0])


def dates(series: pl.Series) -> pl.Series:
    """Write the dates of a column as RFC 3339 does, in UTC."""
    written = date_format(series)
    return series if written is None else _parsed(series, written).dt.strftime(_RFC_3339)


def _parsed(series: pl.Series, written: str) -> pl.Series:
    if written == _ZONED:
        zoned = series.str.to_datetime(written, time_unit="us", time_zone="UTC", strict=False)
        moments = zoned.dt.replace_time_zone(None)
    elif "%H" in written:
        moments = series.str.to_datetime(written, time_unit="us", strict=False)
    else:
        moments = series.str.to_date(written, strict=False).cast(pl.Datetime("us"))
    return pl.select(pl.when(moments.dt.year().is_between(*_YEARS)).then(moments)).to_series()


def _has_long(values: pl.Series) -> bool:
    return bool((values.str.len_chars() > MAX_LETTERS).any())


def _kind(series: pl.Series, *, distinct: int) -> ColumnKind:
    if date_format(series) is not None:
        return "date"
    repeats = distinct * 2 <= len(series) - series.null_count()
    return "category" if distinct and distinct <= MAX_CATEGORIES and repeats else "text"
