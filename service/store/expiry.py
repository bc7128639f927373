"""Jobs whose lease expired: their worker is gone, and whoever looks next puts them right.

Any worker does it, also one that could not run the job itself, and any client that acts on the job:
nothing stays `running` because nobody fits.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.jobs import JobError
from service.store import events
from service.store.engine import moment
from service.store.leases import leaving_running
from service.store.tables import CLAIMABLE, RUNNING, JobRow

MAX_RECLAIMS = 10
"""A job whose worker vanished so often in a row, without a checkpoint, fails."""

LONGEST_LEASE = timedelta(hours=1)
"""What TRAINYARD_LEASE_SECONDS allows at most."""
CLOCK_STEP = timedelta(minutes=1)
"""So far a clock may be put right without a lease seeming to last too long."""

WORKER_LOST = JobError(
    code="worker_lost",
    message=f"The worker was lost {MAX_RECLAIMS} times in a row without a new checkpoint.",
    hint="See the worker's log; let it write checkpoints more often (training.checkpoint).",
)


def expired(now: datetime) -> sa.ColumnElement[bool]:
    """Say which jobs are held by nobody although they are `running`.

    A lease that lasts longer than any may was measured before the clock was set back, and its
    holder has not kept it since: who knows for how long nobody could take the job.
    """
    impossible = JobRow.lease_expires_at > moment(now + LONGEST_LEASE + CLOCK_STEP)
    over = sa.or_(JobRow.lease_expires_at < moment(now), impossible)
    return sa.and_(CLAIMABLE, RUNNING, over)


def settle_expired(session: Session, *, job_id: str | None = None, now: datetime) -> None:
    """Put jobs whose lease expired back into the queue, or end them.

    A client's order is obeyed first; a job that was lost too often in a row fails. With `job_id`,
    only that one is looked at.
    """
    lost = sa.select(JobRow.id).where(expired(now)).order_by(JobRow.id)
    if job_id is not None:
        lost = lost.where(JobRow.id == job_id)
    too_often = JobRow.reclaims >= MAX_RECLAIMS
    becomes = obeying(sa.case((too_often, "failed"), else_="queued"))
    error = sa.literal(WORKER_LOST.model_dump(mode="json"), JobRow.error.type)
    settled = session.execute(
        sa.update(JobRow)
        .where(JobRow.id.in_(lost.with_for_update(skip_locked=True)))
        .values(
            {
                **leaving_running(becomes, now, reason=None),
                JobRow.ended_at: end_of(becomes, now),
                JobRow.error: sa.case((becomes == "failed", error), else_=JobRow.error),
                JobRow.reclaims: JobRow.reclaims + 1,
            }
        )
        .returning(JobRow.id, JobRow.status)
        .execution_options(synchronize_session=False)
    ).all()
    for row in settled:
        data = WORKER_LOST.model_dump(mode="json") if row.status == "failed" else {}
        data |= {"reason": "the worker's lease expired"}
        happened = "reclaimed" if row.status == "queued" else row.status
        events.append(session, row.id, happened, data=data, now=now)


def obeying(otherwise: Any) -> sa.ColumnElement[Any]:
    """Say what a job becomes when it stops running: what a client ordered comes first."""
    obeyed = {"cancel": "cancelled", "pause": "paused"}
    return sa.case(obeyed, value=JobRow.noted_order, else_=otherwise)


def end_of(status: sa.ColumnElement[Any], now: datetime) -> sa.ColumnElement[Any]:
    """Say when a job that becomes `status` ended."""
    return sa.case((status.in_(["cancelled", "failed"]), moment(now)), else_=None)
