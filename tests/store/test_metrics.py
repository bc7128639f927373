"""Metrics: what was measured comes back, whole or thinned without losing an extreme."""

import math

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.domain.jobs import Claim, Metrics, Progress, Series
from service.domain.ports import MetricPoint
from service.store import jobs, metrics
from service.store.engine import Database
from service.store.errors import JobNotFound
from tests.builders import NOON, a_claim, a_queued_job

VALUES = st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=60)


def test_points_come_back_in_the_order_of_their_steps(database: Database) -> None:
    claim = a_running_job(database)
    points = [MetricPoint(name, step, 1, step / 2) for step in (2, 1) for name in ("b", "a")]
    add(database, claim, points)

    expected = Series(step=[1, 2], epoch=[1, 1], value=[0.5, 1.0])
    answer = read(database, claim)
    assert answer.series == {"a": expected, "b": expected}
    assert not answer.downsampled
    assert list(read(database, claim, names=["b"]).series) == ["b"]


def test_the_same_step_again_replaces_the_point(database: Database) -> None:
    claim = a_running_job(database)
    add(database, claim, [MetricPoint("a", 1, 1, value) for value in (1.0, 2.0)])
    add(database, claim, [MetricPoint("a", 1, 1, 3.0)])
    assert read(database, claim).series["a"].value == [3.0]


def test_what_is_not_finite_is_null_and_named(database: Database) -> None:
    claim = a_running_job(database)
    values = [1.0, math.nan, math.inf, -math.inf]
    add(database, claim, [MetricPoint("a", step, 1, v) for step, v in enumerate(values)])

    series = read(database, claim).series["a"]
    assert series.value == [1.0, None, None, None]
    assert [(item.index, item.value) for item in series.nonfinite] == [
        (1, "nan"),
        (2, "inf"),
        (3, "-inf"),
    ]
    with database.read() as session:
        rows = metrics.csv_page(session, claim.job_id)
    assert [str(row.value) for row in rows] == ["1.0", "nan", "inf", "-inf"]


def test_a_table_is_read_page_by_page(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "CSV_ROWS", 3)
    claim = a_running_job(database)
    add(database, claim, [MetricPoint(name, step, 1, 1.0) for name in "ab" for step in range(4)])

    found: list[tuple[str, int]] = []
    with database.read() as session:
        page = metrics.csv_page(session, claim.job_id)
        while page:
            found += [(row.name, row.step) for row in page]
            page = metrics.csv_page(session, claim.job_id, after=page[-1])

    assert found == [(name, step) for name in "ab" for step in range(4)]


def test_points_past_a_checkpoint_are_deleted_before_training_goes_on(database: Database) -> None:
    claim = a_running_job(database)
    add(database, claim, [MetricPoint("a", step, 1, 1.0) for step in range(5)])
    with database.begin() as session:
        metrics.delete_after(session, claim.lease, 2)
    assert read(database, claim).series["a"].step == [0, 1, 2]


def test_progress_is_reported_with_its_time(database: Database) -> None:
    claim = a_running_job(database)
    progress = Progress(epoch=1, epochs=3, step=10, steps=30, percent=33.3)
    with database.begin() as session:
        metrics.report_progress(session, claim.lease, progress, trained_seconds=1.0, now=NOON)
        stored = jobs.get_job(session, claim.job_id).progress
    assert stored == progress.model_copy(update={"updated_at": NOON})


def test_metrics_of_no_job_are_not_found(database: Database) -> None:
    with database.read() as session, pytest.raises(JobNotFound):
        metrics.get_metrics(session, "job_0", names=None, max_points=None)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(values=[math.nan] * 20, max_points=4)
@example(values=[0.0, *[1.0] * 30, math.nan], max_points=4)
@given(values=VALUES, max_points=st.integers(4, 30))
def test_thinning_keeps_the_ends_and_the_extremes(
    database: Database, values: list[float], max_points: int
) -> None:
    claim = a_running_job(database)
    add(database, claim, [MetricPoint("a", step, 1, v) for step, v in enumerate(values)])

    answer = read(database, claim, max_points=max_points)
    series = answer.series["a"]
    finite = [value for value in values if math.isfinite(value)]
    kept = [value for value in series.value if value is not None]
    assert len(series.step) <= max_points
    assert answer.downsampled == (len(series.step) < len(values))
    assert answer.downsampled <= (len(values) > max_points)
    assert series.step == sorted(set(series.step))
    assert (series.step[0], series.step[-1]) == (0, len(values) - 1)
    if finite:
        assert (min(kept), max(kept)) == (min(finite), max(finite))
    for step, value in zip(series.step, series.value, strict=True):
        assert value == values[step] or not math.isfinite(values[step])


def a_running_job(database: Database) -> Claim:
    a_queued_job(database)
    return a_claim(database)


def add(database: Database, claim: Claim, points: list[MetricPoint]) -> None:
    with database.begin() as session:
        metrics.add_points(session, claim.lease, points)


def read(
    database: Database,
    claim: Claim,
    *,
    names: list[str] | None = None,
    max_points: int | None = None,
) -> Metrics:
    with database.read() as session:
        return metrics.get_metrics(session, claim.job_id, names=names, max_points=max_points)
