"""A lease: the right to write a job's results. It is checked in the transaction that writes."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.store.errors import LeaseLost
from service.store.tables import JobRow


def held_job(session: Session, lease: str) -> JobRow:
    """Return the job that this lease holds, locked: nobody can take it before this commits.

    Raises LeaseLost. SQLite drops FOR UPDATE and needs none: it has one writer at a time. What
    foreign keys lock goes together with FOR NO KEY UPDATE.
    """
    row = session.scalars(
        sa.select(JobRow)
        .where(JobRow.lease == lease)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise LeaseLost
    return row


def change_held(session: Session, lease: str, values: dict[Any, Any], *returning: Any) -> Any:
    """Update the job that this lease holds; return the asked columns. Raises LeaseLost."""
    statement: Any = sa.update(JobRow).where(JobRow.lease == lease).values(values)
    statement = statement.returning(JobRow.id, *returning)
    options = {"synchronize_session": False}
    row: Any = session.execute(statement, execution_options=options).one_or_none()
    if row is None:
        raise LeaseLost
    return row


def report_reason(session: Session, lease: str, reason: str | None, *, now: datetime) -> None:
    """Say what the running job is busy with; an order that a client left stays to be read.

    Raises LeaseLost.
    """
    unordered = JobRow.noted_order.is_(None)
    shown = sa.case((unordered, sa.literal(reason, sa.Text)), else_=JobRow.status_reason)
    change_held(session, lease, {JobRow.status_reason: shown, JobRow.updated_at: now})


def leaving_running(status: Any, now: datetime, *, reason: str | None) -> dict[Any, Any]:
    """Give the values of a job that stops running: no lease, no order."""
    return {
        JobRow.status: status,
        JobRow.status_reason: reason,
        JobRow.lease: None,
        JobRow.lease_expires_at: None,
        JobRow.noted_order: None,
        JobRow.worker_id: None,
        JobRow.updated_at: now,
    }
