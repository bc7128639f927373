"""Metrics: series of points per job, written under the lease, read whole or thinned out."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.jobs import Metrics, Nonfinite, Progress, Series
from service.domain.ports import MetricPoint
from service.store.engine import upsert
from service.store.errors import JobNotFound
from service.store.leases import change_held, held_job
from service.store.tables import JobRow, MetricRow

MIN_POINTS = 4
"""First, last, smallest and largest."""
CSV_ROWS = 10_000
"""Of so many points a table is written at a time."""

NonfiniteName = Literal["nan", "inf", "-inf"]


class CsvRow(NamedTuple):
    """One point, as a table has it."""

    name: str
    step: int
    epoch: int
    value: float


def add_points(session: Session, lease: str, points: Sequence[MetricPoint]) -> None:
    """Store points; one of the same name and step is replaced. Raises LeaseLost."""
    job_id = held_job(session, lease).id
    if not points:
        return
    rows = {(point.name, point.step): _row(job_id, point) for point in points}
    statement = upsert(session, MetricRow)
    columns = ("epoch", "value", "nonfinite")
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["job_id", "name", "step"],
            set_={column: getattr(statement.excluded, column) for column in columns},
        ),
        list(rows.values()),
    )


def delete_after(session: Session, lease: str, step: int) -> None:
    """Delete all points past a step, before training goes on from there. Raises LeaseLost."""
    job_id = held_job(session, lease).id
    session.execute(
        sa.delete(MetricRow)
        .where(MetricRow.job_id == job_id, MetricRow.step > step)
        .execution_options(synchronize_session=False)
    )


def report_progress(
    session: Session, lease: str, progress: Progress, *, trained_seconds: float, now: datetime
) -> None:
    """Store how far the job came, and how long all attempts trained. Raises LeaseLost."""
    current = progress.model_copy(update={"updated_at": now})
    values = {
        JobRow.progress: current.model_dump(mode="json"),
        JobRow.trained_seconds: trained_seconds,
        JobRow.updated_at: now,
    }
    change_held(session, lease, values)


def get_metrics(
    session: Session, job_id: str, *, names: Sequence[str] | None, max_points: int | None
) -> Metrics:
    """Read series in the order of their steps. Raises JobNotFound.

    A series longer than `max_points` (at least 4) keeps its first and last point, and the smallest
    and largest of every bucket; points that are not finite are neither.
    """
    if session.get(JobRow, job_id) is None:
        raise JobNotFound
    statement = _whole(job_id, names)
    if max_points is not None:
        statement = _thinned(job_id, names, max(max_points, MIN_POINTS))
    points: dict[str, list[Any]] = {}
    for row in session.execute(statement):
        points.setdefault(row.name, []).append(row)
    return Metrics(
        job=job_id,
        series={name: _series(rows) for name, rows in points.items()},
        downsampled=any(len(rows) < (rows[0].total or 0) for rows in points.values()),
    )


def csv_page(
    session: Session,
    job_id: str,
    names: Sequence[str] | None = None,
    *,
    after: CsvRow | None = None,
) -> list[CsvRow]:
    """Read some points by name and step, those after a point; none are left when it is empty.

    Raises JobNotFound; a job that is deleted between two pages has no more points.
    """
    if after is None and session.get(JobRow, job_id) is None:
        raise JobNotFound
    statement = _points(sa.null()).where(_of_job(job_id, names))
    if after is not None:
        key = sa.tuple_(MetricRow.name, MetricRow.step)
        statement = statement.where(key > sa.tuple_(after.name, after.step))
    ordered = statement.order_by(MetricRow.name, MetricRow.step).limit(CSV_ROWS)
    return [
        CsvRow(
            row.name, row.step, row.epoch, float(row.nonfinite) if row.value is None else row.value
        )
        for row in session.execute(ordered)
    ]


def _row(job_id: str, point: MetricPoint) -> dict[str, object]:
    finite = math.isfinite(point.value)
    return {
        "job_id": job_id,
        "name": point.name,
        "step": point.step,
        "epoch": point.epoch,
        "value": point.value if finite else None,
        "nonfinite": None if finite else str(float(point.value)),
    }


def _of_job(job_id: str, names: Sequence[str] | None) -> sa.ColumnElement[bool]:
    mine = MetricRow.job_id == job_id
    return mine if names is None else sa.and_(mine, MetricRow.name.in_(names))


def _points(total: Any) -> Any:
    columns = (
        MetricRow.name,
        MetricRow.step,
        MetricRow.epoch,
        MetricRow.value,
        MetricRow.nonfinite,
    )
    return sa.select(*columns, total.label("total"))


def _whole(job_id: str, names: Sequence[str] | None) -> Any:
    statement = _points(sa.null()).where(_of_job(job_id, names))
    return statement.order_by(MetricRow.name, MetricRow.step)


def _thinned(job_id: str, names: Sequence[str] | None, limit: int) -> Any:
    """Keep of each bucket of steps the smallest and largest point, of the series first and last.

    A bucket is a range of the primary key: it is looked through in place, nothing is sorted.
    """
    series = (
        sa.select(
            MetricRow.name,
            sa.func.count().label("total"),
            sa.func.min(MetricRow.step).label("first"),
            sa.func.max(MetricRow.step).label("last"),
        )
        .where(_of_job(job_id, names))
        .group_by(MetricRow.name)
        .cte("series")
    )
    long = series.c.total > limit
    bucket = _buckets(series, max(1, (limit - 2) // 2), long)
    kept = sa.union(
        sa.select(bucket.c.name, _extreme(job_id, bucket, MetricRow.value).label("step")),
        sa.select(bucket.c.name, _extreme(job_id, bucket, MetricRow.value.desc())),
        sa.select(series.c.name, series.c.first).where(long),
        sa.select(series.c.name, series.c.last).where(long),
    ).cte("kept")
    mine = MetricRow.job_id == job_id
    short = _points(series.c.total).join(
        series, sa.and_(mine, MetricRow.name == series.c.name, sa.not_(long))
    )
    thinned = (
        _points(series.c.total)
        .join(kept, sa.and_(mine, MetricRow.name == kept.c.name, MetricRow.step == kept.c.step))
        .join(series, series.c.name == kept.c.name)
    )
    return sa.union_all(short, thinned).order_by(sa.text("1, 2"))  # name and step


def _buckets(series: sa.CTE, count: int, long: sa.ColumnElement[bool]) -> sa.CTE:
    """Cut the steps of each long series into equal ranges, from `low` to below `high`."""
    number = sa.select(sa.literal(0).label("number")).cte("numbers", recursive=True)
    number = number.union_all(sa.select(number.c.number + 1).where(number.c.number < count - 1))
    width = series.c.last - series.c.first + 1
    low = series.c.first + width * number.c.number // count
    high = series.c.first + width * (number.c.number + 1) // count
    cut = sa.select(series.c.name, low.label("low"), high.label("high"))
    return cut.select_from(series.join(number, sa.true())).where(long).cte("buckets")


def _extreme(job_id: str, bucket: sa.CTE, order: Any) -> sa.ScalarSelect[int]:
    # NULL comes first on one database and last on the other: say where it goes.
    not_finite = sa.case((MetricRow.value.is_(None), 1), else_=0)
    return (
        sa.select(MetricRow.step)
        .where(MetricRow.job_id == job_id, MetricRow.name == bucket.c.name)
        .where(MetricRow.step >= bucket.c.low, MetricRow.step < bucket.c.high)
        .order_by(not_finite, order, MetricRow.step)
        .limit(1)
        .correlate(bucket)
        .scalar_subquery()
    )


def _series(rows: Sequence[Any]) -> Series:
    return Series(
        step=[row.step for row in rows],
        epoch=[row.epoch for row in rows],
        value=[row.value for row in rows],
        nonfinite=[
            Nonfinite(index=index, value=cast("NonfiniteName", row.nonfinite))
            for index, row in enumerate(rows)
            if row.nonfinite is not None
        ],
    )
