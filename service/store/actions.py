"""What clients do to jobs, as `domain.transitions` has it: one table, one statement per action.

No status is read first and written later: the row itself decides, so that two clients and a worker
may act at the same moment.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.events import EventType
from service.domain.jobs import ENDED, Job, JobStatus
from service.domain.transitions import (
    ORDER_REASONS,
    TRANSITIONS,
    Becomes,
    Gone,
    JobAction,
    JobActionRefused,
    Order,
    Refused,
)
from service.store import blobs, events
from service.store.engine import moment
from service.store.errors import JobNotFound
from service.store.expiry import settle_expired
from service.store.job_reads import get_job
from service.store.tables import CheckpointRow, JobRow

DONE: Mapping[JobAction, EventType] = {
    "cancel": "cancelled",
    "pause": "paused",
    "resume": "resumed",
    "retry": "retried",
}
"""The event of an action that has been done; an order to a running job has one of its own."""


def apply_action(session: Session, job_id: str, action: JobAction, *, now: datetime) -> Job | None:
    """Do `action`; return the job as it is then, or None when it is gone.

    Raises JobNotFound and JobActionRefused. A cancel that a running job was told stands: neither
    pause nor resume take it back.
    """
    settle_expired(session, job_id=job_id, now=now)  # there may be no worker that would
    while True:
        if action == "delete":
            if _delete(session, job_id):
                return None
        elif _change(session, job_id, action, now):
            return get_job(session, job_id)
        if not _can_change(session, job_id, action):
            return get_job(session, job_id)
        # Between the two statements the job came into a status in which the action does something.


def _can_change(session: Session, job_id: str, action: JobAction) -> bool:
    """Tell why nothing was changed: False when nothing had to be. Raises what is refused."""
    columns = sa.select(JobRow.status, JobRow.noted_order).where(JobRow.id == job_id)
    found = session.execute(columns).one_or_none()
    if found is None:
        raise JobNotFound
    status: JobStatus = found.status
    outcome = TRANSITIONS[action][status]
    if isinstance(outcome, Refused):
        raise JobActionRefused(job_id, action, status)
    if isinstance(outcome, Gone):
        return True
    if status == "running":
        return found.noted_order not in {outcome.order, "cancel"}
    return outcome.status != status


def _change(session: Session, job_id: str, action: JobAction, now: datetime) -> bool:
    """Take the job to its next status, if the action changes anything at all."""
    idle = {
        status: outcome.status
        for status, outcome in TRANSITIONS[action].items()
        if isinstance(outcome, Becomes) and status not in {"running", outcome.status}
    }
    told = TRANSITIONS[action]["running"]
    conditions: list[sa.ColumnElement[bool]] = [JobRow.status.in_(idle)]
    order: Order | None = None
    if isinstance(told, Becomes):
        order = told.order
        news = sa.and_(
            JobRow.status == "running",
            JobRow.noted_order.is_distinct_from(order),
            JobRow.noted_order.is_distinct_from("cancel"),
        )
        conditions.append(news)
    row = session.execute(
        sa.update(JobRow)
        .where(JobRow.id == job_id, sa.or_(*conditions))
        .values(_values(idle, order, now))
        .returning(JobRow.status)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        return False
    told_so = ORDER_REASONS[order] if order and row.status == "running" else None
    events.append(session, job_id, told_so or DONE[action], data={}, now=now)
    return True


def _values(idle: Mapping[str, str], order: Order | None, now: datetime) -> dict[Any, Any]:
    running = JobRow.status == "running"
    values: dict[Any, Any] = {
        JobRow.status: sa.case(dict(idle), value=JobRow.status, else_=JobRow.status),
        JobRow.noted_order: sa.case((running, order), else_=None),
        JobRow.status_reason: sa.case(
            (running, ORDER_REASONS[order] if order else None), else_=None
        ),
        JobRow.updated_at: now,
    }
    if idle and set(idle.values()) <= ENDED:
        values[JobRow.ended_at] = sa.case((running, None), else_=moment(now))
    if "queued" in idle.values():  # a new life: old failures count no more
        values |= {
            JobRow.error: sa.null(),
            JobRow.ended_at: None,
            JobRow.deaths: 0,
            JobRow.reclaims: 0,
        }
    return values


def _delete(session: Session, job_id: str) -> bool:
    """Delete the job with everything under it, unless it runs; its models stay."""
    allowed = [s for s, outcome in TRANSITIONS["delete"].items() if isinstance(outcome, Gone)]
    locked = session.scalars(
        sa.select(JobRow)
        .where(JobRow.id == job_id, JobRow.status.in_(allowed))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if locked is None:
        return False
    columns = (
        CheckpointRow.weights_sha256,
        CheckpointRow.state_blob_sha256,
        CheckpointRow.preparation_sha256,
    )
    bytes_of_job = session.execute(sa.select(*columns).where(CheckpointRow.job_id == job_id))
    shas = {sha for row in bytes_of_job for sha in row} | {locked.preparation_sha256}
    session.expunge(locked)
    session.execute(
        sa.delete(JobRow).where(JobRow.id == job_id).execution_options(synchronize_session=False)
    )
    blobs.release(session, [sha for sha in shas if sha is not None])
    return True
