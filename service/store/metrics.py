"""Metrics: series of points per job, written under the lease, read whole or thinned out."""

import math
from collections.abc import Iterator, Sequence
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
    numbered = _numbered(job_id, names)
    if max_points is None:
        statement: Any = sa.select(numbered).order_by(numbered.c.name, numbered.c.step)
    else:
        statement = _thinned(numbered, max(max_points, MIN_POINTS))
    points: dict[str, list[Any]] = {}
    for row in session.execute(statement):
        points.setdefault(row.name, []).append(row)
    return Metrics(
        job=job_id,
        series={name: _series(rows) for name, rows in points.items()},
        downsampled=any(len(rows) < rows[0].total for rows in points.values()),
    )


def iter_csv_rows(
    session: Session, job_id: str, names: Sequence[str] | None = None
) -> Iterator[CsvRow]:
    """Iterate over all points by name and step, without holding them all. Raises JobNotFound."""
    if session.get(JobRow, job_id) is None:
        raise JobNotFound
    statement = sa.select(
        MetricRow.name, MetricRow.step, MetricRow.epoch, MetricRow.value, MetricRow.nonfinite
    ).where(_of_job(job_id, names))
    ordered = statement.order_by(MetricRow.name, MetricRow.step)
    for row in session.execute(ordered.execution_options(yield_per=1000)):
        value = float(row.nonfinite) if row.value is None else row.value
        yield CsvRow(row.name, row.step, row.epoch, value)


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


def _numbered(job_id: str, names: Sequence[str] | None) -> sa.Subquery:
    """Number the points of each series from 0, and say how many there are."""
    place = sa.func.row_number().over(partition_by=MetricRow.name, order_by=MetricRow.step) - 1
    total = sa.func.count().over(partition_by=MetricRow.name)
    columns = (
        MetricRow.name,
        MetricRow.step,
        MetricRow.epoch,
        MetricRow.value,
        MetricRow.nonfinite,
    )
    numbered = sa.select(*columns, place.label("place"), total.label("total"))
    return numbered.where(_of_job(job_id, names)).subquery()


def _thinned(numbered: sa.Subquery, limit: int) -> Any:
    """Keep of each bucket the smallest and largest point, of the series the first and last."""
    points = numbered.c
    buckets = max(1, (limit - 2) // 2)
    bucket = points.place * buckets // points.total
    # NULL comes first on one database and last on the other: say where it goes.
    not_finite = sa.case((points.value.is_(None), 1), else_=0)
    within = (points.name, bucket)
    rising = sa.func.row_number().over(
        partition_by=within, order_by=(not_finite, points.value, points.step)
    )
    falling = sa.func.row_number().over(
        partition_by=within, order_by=(not_finite, points.value.desc(), points.step)
    )
    ranked = sa.select(numbered, rising.label("rising"), falling.label("falling")).subquery()
    row = ranked.c
    keep = sa.or_(
        row.total <= limit,
        row.rising == 1,
        row.falling == 1,
        row.place == 0,
        row.place == row.total - 1,
    )
    return sa.select(ranked).where(keep).order_by(row.name, row.step)


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
