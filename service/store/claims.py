"""Jobs as workers hold them: claim, keep, give back.

A claim is one statement, so two workers never get the same job. Every later write carries the lease
of the claim; a worker that lost it can write nothing. An order that a client left is obeyed even
where the worker was on its way to something else.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import cast

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.orm import Session

from service.domain.findings import TrainingFinding
from service.domain.jobs import Claim, JobError, JobSpec, JobStatus
from service.domain.requests import JobKind
from service.domain.transitions import Order
from service.store import events
from service.store.engine import moment
from service.store.errors import LeaseLost
from service.store.expiry import MAX_RECLAIMS, end_of, expired, obeying, settle_expired
from service.store.ids import new_lease_token
from service.store.leases import change_held, leaving_running
from service.store.results import succeed
from service.store.tables import CLAIMABLE, QUEUED, JobComponentRow, JobRow
from service.store.workers import (
    beat_worker,
    list_workers,
    register_worker,
    remove_stale_workers,
    remove_worker,
)

__all__ = [
    "MAX_RECLAIMS",
    "LeaseLost",
    "beat_worker",
    "claim",
    "fail",
    "has_claimable",
    "heartbeat",
    "list_workers",
    "orders",
    "record_death",
    "register_worker",
    "release",
    "remove_stale_workers",
    "remove_worker",
    "settle_expired",
    "succeed",
]

UNREADABLE = JobError(
    code="spec_unreadable",
    message="This version of the service cannot read the job's spec.",
    hint="Another version wrote it: create the job again.",
)


def claim(
    session: Session,
    *,
    worker_id: str,
    devices: Sequence[str],
    components: Sequence[str],
    lease_for: timedelta,
    now: datetime,
) -> Claim | None:
    """Take the next job that nobody holds and this worker can run, or None."""
    settle_expired(session, now=now)
    next_one = _claimable(devices, components).order_by(JobRow.priority.desc(), JobRow.id)
    row = session.execute(
        sa.update(JobRow)
        # SQLite drops FOR UPDATE and needs none: it has one writer at a time.
        .where(JobRow.id == next_one.limit(1).with_for_update(skip_locked=True).scalar_subquery())
        .values(
            status="running",
            status_reason=None,
            attempt=JobRow.attempt + 1,
            lease=new_lease_token(),
            lease_expires_at=now + lease_for,
            worker_id=worker_id,
            started_at=sa.func.coalesce(JobRow.started_at, moment(now)),
            updated_at=now,
        )
        .returning(JobRow.id, JobRow.kind, JobRow.lease, JobRow.attempt, JobRow.spec)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        return None
    data = {"attempt": row.attempt, "worker": worker_id}
    events.append(session, row.id, "claimed", data=data, now=now)
    try:
        spec = JobSpec.model_validate(row.spec)
    except ValidationError:  # one such job must not keep those behind it from being run
        fail(session, row.lease, UNREADABLE, now=now)
        return None
    return Claim(
        job_id=row.id,
        kind=cast("JobKind", row.kind),
        lease=row.lease,
        attempt=row.attempt,
        spec=spec,
    )


def has_claimable(
    session: Session, *, devices: Sequence[str], components: Sequence[str], now: datetime
) -> bool:
    """Tell whether `claim` would find something to do: a read, which keeps nobody waiting."""
    fitting = _claimable(devices, components)
    either = sa.or_(fitting.exists(), sa.select(JobRow.id).where(expired(now)).exists())
    return session.scalars(sa.select(either)).one()


def heartbeat(session: Session, lease: str, *, lease_for: timedelta, now: datetime) -> Order | None:
    """Keep the job for another while; return what a client ordered. Raises LeaseLost."""
    row = change_held(
        session, lease, {JobRow.lease_expires_at: now + lease_for}, JobRow.noted_order
    )
    return cast("Order | None", row.noted_order)


def orders(session: Session, leases: Iterable[str]) -> dict[str, Order | None]:
    """Read the orders for these leases. One that is missing in the answer was lost."""
    noted = sa.select(JobRow.lease, JobRow.noted_order).where(JobRow.lease.in_(list(leases)))
    return {row.lease: row.noted_order for row in session.execute(noted)}


def release(
    session: Session, lease: str, *, status: JobStatus, reason: str | None = None, now: datetime
) -> JobStatus:
    """Give the job back as queued, paused or cancelled; return what it became.

    A client's order wins over a drain; a pause that was taken back meanwhile becomes queued.
    """
    return _give_back(session, lease, status, reason=reason, now=now)


def record_death(
    session: Session, lease: str, *, code: str, message: str, max_deaths: int, now: datetime
) -> JobStatus:
    """Note that the job's process died; queue it again, or fail it after too many in a row."""
    row = change_held(session, lease, {JobRow.deaths: JobRow.deaths + 1}, JobRow.deaths)
    death = {"code": code, "message": message, "deaths": row.deaths}
    events.append(session, row.id, "died", data=death, now=now)
    if row.deaths < max_deaths:
        return _give_back(session, lease, "queued", reason=message, now=now)
    in_a_row = f"{message} It died {row.deaths} times in a row without a new checkpoint."
    error = JobError(code=code, message=in_a_row, hint="See the events of the job, then retry it.")
    return _give_back(session, lease, "failed", reason=None, error=error, now=now)


def fail(
    session: Session,
    lease: str,
    error: JobError,
    *,
    findings: Sequence[TrainingFinding] = (),
    now: datetime,
) -> None:
    """End the job as failed, of what the findings say. Raises LeaseLost."""
    values = leaving_running("failed", now, reason=None)
    values |= {JobRow.error: error.model_dump(mode="json"), JobRow.ended_at: now}
    row = change_held(session, lease, values)
    for finding in findings:
        events.append(session, row.id, "finding", data=finding.event_data(), now=now)
    events.append(session, row.id, "failed", data=error.model_dump(mode="json"), now=now)


def _claimable(devices: Sequence[str], components: Sequence[str]) -> sa.Select[str]:
    missing = (
        sa.select(JobComponentRow.component)
        .where(JobComponentRow.job_id == JobRow.id, JobComponentRow.component.not_in(components))
        .exists()
    )
    return sa.select(JobRow.id).where(
        CLAIMABLE, QUEUED, JobRow.device.in_({"auto", *devices}), sa.not_(missing)
    )


def _give_back(
    session: Session,
    lease: str,
    status: JobStatus,
    *,
    reason: str | None,
    error: JobError | None = None,
    now: datetime,
) -> JobStatus:
    becomes = obeying("queued" if status == "paused" else status)
    values = leaving_running(becomes, now, reason=reason)
    values[JobRow.ended_at] = end_of(becomes, now)
    if error is not None:
        value = sa.literal(error.model_dump(mode="json"), JobRow.error.type)
        values[JobRow.error] = sa.case((becomes == "failed", value), else_=JobRow.error)
    row = change_held(session, lease, values, JobRow.status)
    data = error.model_dump(mode="json") if error and row.status == "failed" else {"reason": reason}
    events.append(session, row.id, row.status, data=data, now=now)
    return cast("JobStatus", row.status)
