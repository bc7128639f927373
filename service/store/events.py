"""Events: what happened to a job, counted per job without gaps.

`seq` comes from the job's row in the event's own transaction: a global sequence commits out of
order on PostgreSQL, and who reads from a cursor on would miss events.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

import sqlalchemy as sa
from pydantic import JsonValue
from sqlalchemy.orm import Session

from service.domain.events import Event, EventType
from service.store.tables import EventRow, JobRow


def append(
    session: Session,
    job_id: str,
    event_type: EventType,
    *,
    data: Mapping[str, JsonValue],
    now: datetime,
) -> int:
    """Add an event; return its seq. The job's row stays locked until the transaction ends."""
    counted = (
        sa.update(JobRow)
        .where(JobRow.id == job_id)
        .values(event_seq=JobRow.event_seq + 1)
        .returning(JobRow.event_seq)
        .execution_options(synchronize_session=False)
    )
    seq = session.scalars(counted).one()
    row = {"job_id": job_id, "seq": seq, "type": event_type, "created_at": now, "data": dict(data)}
    session.execute(sa.insert(EventRow).values(row))
    return seq


def list_events(
    session: Session, job_id: str, *, after_seq: int = 0, limit: int = 100
) -> Sequence[Event]:
    """List events in their order, those after `after_seq`."""
    statement = (
        sa.select(EventRow)
        .where(EventRow.job_id == job_id, EventRow.seq > after_seq)
        .order_by(EventRow.seq)
        .limit(limit)
    )
    return [
        Event(
            job=row.job_id,
            seq=row.seq,
            type=cast("EventType", row.type),
            created_at=row.created_at,
            data=row.data,
        )
        for row in session.scalars(statement)
    ]
