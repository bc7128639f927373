"""The queue as clients see it: the place of a job, why it waits, when it may begin.

All of it is found out when a page of jobs is read, by a few statements for all of them; only the
first places are given an estimate. `domain.queue` has the rules.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.jobs import Progress
from service.domain.queue import (
    Place,
    Ran,
    Speeds,
    Waiting,
    estimated_starts,
    offers_of,
    why_nobody_takes,
)
from service.domain.workers import Worker
from service.store.engine import database_now
from service.store.tables import CLAIMABLE, QUEUED, RUNNING, JobComponentRow, JobRow
from service.store.workers import list_workers

ESTIMATED_PLACES = 100
PAST_JOBS = 50
LOST = "its worker is gone and no other is running"


class Standing(NamedTuple):
    """What a job's row does not say. `reason` goes before the stored one."""

    position: int | None = None
    estimated_start_at: datetime | None = None
    reason: str | None = None


def standings(session: Session, rows: Sequence[JobRow]) -> Mapping[str, Standing]:
    """Say how the jobs among `rows` stand that wait, or whose worker is gone with all others."""
    queued = [row for row in rows if row.status == "queued"]
    running = [row for row in rows if row.lease_expires_at is not None]
    if not queued and not running:
        return {}
    now = database_now(session)
    lost = [row.id for row in running if row.lease_expires_at and row.lease_expires_at < now]
    if not queued and not lost:
        return {}
    workers = [worker for worker in list_workers(session) if worker.takes_jobs(now)]
    found = {} if workers else {job_id: Standing(reason=LOST) for job_id in lost}
    if queued:
        found |= _queued(session, queued, workers, now)
    return found


def count_queued(session: Session) -> int:
    """Count the jobs that wait."""
    counted = sa.select(sa.func.count()).select_from(JobRow).where(CLAIMABLE, QUEUED)
    return session.scalars(counted).one()


def _queued(
    session: Session, rows: Sequence[JobRow], workers: Sequence[Worker], now: datetime
) -> dict[str, Standing]:
    positions = _positions(session, [row.id for row in rows])
    offers = [offers_of(worker) for worker in workers]
    starts: Mapping[str, datetime] = {}
    needs = _needs(session, rows, offers)
    if workers and min(positions.values(), default=0) <= ESTIMATED_PLACES:
        starts = _starts(session, workers, now)
    return {
        row.id: Standing(
            position=positions.get(row.id),
            estimated_start_at=starts.get(row.id),
            reason=why_nobody_takes(needs[row.id], offers),
        )
        for row in rows
    }


def _positions(session: Session, job_ids: Sequence[str]) -> dict[str, int]:
    """Number queued jobs by their place; 1 is next.

    Counts each stretch of the queue between two of them once, in an index.
    """
    this_priority = sa.over(
        sa.func.lag(JobRow.id, 1, ""), partition_by=JobRow.priority, order_by=JobRow.id
    )
    chosen = (
        sa.select(JobRow.id, JobRow.priority, this_priority.label("before"))
        .where(JobRow.id.in_(job_ids), CLAIMABLE, QUEUED)
        .cte("chosen")
    )
    stretch = (
        sa.select(sa.func.count())
        .select_from(JobRow)
        .where(CLAIMABLE, QUEUED, JobRow.priority == chosen.c.priority)
        .where(JobRow.id > chosen.c.before, JobRow.id <= chosen.c.id)
        .correlate(chosen)
        .scalar_subquery()
    )
    counted = sa.select(chosen.c.id, chosen.c.priority, stretch.label("steps"))
    chosen_rows = session.execute(counted.order_by(chosen.c.priority.desc(), chosen.c.id)).all()
    by_priority = (
        sa.select(JobRow.priority, sa.func.count().label("jobs"))
        .where(CLAIMABLE, QUEUED)
        .group_by(JobRow.priority)
        .order_by(JobRow.priority.desc())
    )
    groups = session.execute(by_priority).all()
    behind = dict(
        zip(
            (group.priority for group in groups),
            accumulate((group.jobs for group in groups), initial=0),
            strict=False,
        )
    )
    positions: dict[str, int] = {}
    for row in chosen_rows:
        if row.priority in behind:  # else all of them were claimed between the two statements
            behind[row.priority] = positions[row.id] = behind[row.priority] + row.steps
    return positions


def _needs(
    session: Session, jobs: Sequence[Any], offers: Sequence[frozenset[str]]
) -> dict[str, frozenset[str]]:
    """Say what jobs need, without what every worker has: usually that is all."""
    everywhere = frozenset[str].intersection(*offers) if offers else frozenset[str]()
    needs = {
        job.id: set[str]() if job.device == "auto" else {f"device:{job.device}"} for job in jobs
    }
    if offers:
        component = JobComponentRow.component
        rare = sa.select(JobComponentRow.job_id, component).where(
            JobComponentRow.job_id.in_(list(needs)), component.not_in(sorted(everywhere))
        )
        for row in session.execute(rare):
            needs[row.job_id].add(row.component)
    return {job_id: frozenset(found) for job_id, found in needs.items()}


def _starts(session: Session, workers: Sequence[Worker], now: datetime) -> Mapping[str, datetime]:
    """Estimate when the jobs in the first places begin."""
    parts = [
        _facts(RUNNING, CLAIMABLE).order_by(JobRow.id).limit(10 * ESTIMATED_PLACES),
        _facts(QUEUED, CLAIMABLE)
        .order_by(JobRow.priority.desc(), JobRow.id)
        .limit(ESTIMATED_PLACES),
        _facts(JobRow.status == "succeeded", JobRow.kind == "train")
        .order_by(JobRow.id.desc())
        .limit(PAST_JOBS),
    ]
    together = sa.union_all(*(sa.select(part.subquery()) for part in parts))
    rows: dict[str, list[Any]] = {"running": [], "queued": [], "succeeded": []}
    for row in session.execute(together):
        rows[row.status].append(row)
    head = sorted(rows["queued"], key=lambda row: (-row.priority, row.id))
    needs = _needs(session, head, [offers_of(worker) for worker in workers])
    speeds = Speeds(
        Ran((row.dataset, row.architecture), row.trained_seconds, progress.epoch, progress.step)
        for row in rows["succeeded"]
        for progress in [Progress.model_validate(row.progress)]
    )
    queue = [_waiting(row, needs[row.id]) for row in head]
    places = _places(workers, rows["running"], speeds)
    return estimated_starts(queue, places, speeds, now=now)


def _facts(*conditions: sa.ColumnElement[bool]) -> Any:
    return sa.select(
        JobRow.id,
        JobRow.status,
        JobRow.priority,
        JobRow.worker_id,
        JobRow.device,
        JobRow.dataset_name.label("dataset"),
        JobRow.spec[("architecture", "type")].as_string().label("architecture"),
        JobRow.spec[("training", "epochs")].as_integer().label("epochs"),
        JobRow.spec[("training", "max_steps")].as_integer().label("max_steps"),
        JobRow.progress,
        JobRow.trained_seconds,
        JobRow.updated_at,
    ).where(*conditions)


def _waiting(row: Any, needs: frozenset[str]) -> Waiting:
    done = Progress.model_validate(row.progress).percent / 100
    sort = (row.dataset, row.architecture)
    return Waiting(row.id, needs, sort, row.epochs, row.max_steps, left=max(0.0, 1 - done))


def _places(workers: Sequence[Worker], running: Iterable[Any], speeds: Speeds) -> list[Place]:
    """List the places of workers, each with the moment at which its job is over."""
    held: dict[str, list[datetime | None]] = {}
    for row in running:
        held.setdefault(row.worker_id, []).append(_over_at(row, speeds))
    places: list[Place] = []
    for worker in workers:
        ends = held.get(worker.id, [])
        free = [worker.started_at] * (worker.places - len(ends))  # since some moment of the past
        places += [Place(offers_of(worker), end) for end in (*free, *ends)]
    return places


def _over_at(row: Any, speeds: Speeds) -> datetime | None:
    progress = Progress.model_validate(row.progress)
    if progress.eta_seconds is not None and progress.updated_at is not None:
        return progress.updated_at + timedelta(seconds=progress.eta_seconds)
    seconds = speeds.seconds(_waiting(row, frozenset()))
    return None if seconds is None else row.updated_at + timedelta(seconds=seconds)
