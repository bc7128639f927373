"""Events: what happened to a job, counted per job without gaps.

`seq` comes from the job's row in the event's own transaction: a global sequence commits out of
order on PostgreSQL, and who reads from a cursor on would miss events.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, cast

import sqlalchemy as sa
from pydantic import JsonValue
from sqlalchemy.orm import Session

from service.domain.events import Event, EventList, EventType
from service.domain.jobs import JobStatus
from service.store import paging
from service.store.errors import JobNotFound, UnknownCursor
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


class Head(NamedTuple):
    """The newest of a job: what a poller asks often."""

    status: JobStatus
    seq: int


class Tail(NamedTuple):
    """What happened to a job after some event, and where that leaves it."""

    events: Sequence[Event]
    head: Head

    @property
    def is_whole(self) -> bool:
        """Whether nothing has happened besides."""
        return not self.events or self.events[-1].seq == self.head.seq


def find_heads(session: Session, job_ids: Sequence[str]) -> dict[str, Head]:
    """Read the newest of many jobs at once; those that are gone are left out."""
    columns = sa.select(JobRow.id, JobRow.status, JobRow.event_seq).where(JobRow.id.in_(job_ids))
    return {row.id: Head(row.status, row.event_seq) for row in session.execute(columns)}


def find_tail(session: Session, job_id: str, *, after_seq: int, limit: int) -> Tail | None:
    """Read what happened after an event, in one snapshot with the status; None without the job."""
    head = find_heads(session, [job_id]).get(job_id)
    if head is None:
        return None
    return Tail(list_events(session, job_id, after_seq=after_seq, limit=limit), head)


def page_of_events(
    session: Session,
    job_id: str,
    *,
    after_seq: int = 0,
    event_type: EventType | None = None,
    limit: int = 20,
) -> EventList:
    """Read a page of a job's events, in their order. Raises JobNotFound and UnknownCursor."""
    size = max(1, min(limit, paging.MAX_LIMIT))
    head = find_heads(session, [job_id]).get(job_id)
    if head is None:
        raise JobNotFound
    if after_seq > head.seq:
        raise UnknownCursor
    events = list_events(
        session, job_id, after_seq=after_seq, event_type=event_type, limit=size + 1
    )
    shown = list(events[:size])
    return EventList(
        data=shown,
        first_id=shown[0].seq if shown else None,
        last_id=shown[-1].seq if shown else None,
        has_more=len(events) > size,
    )


def list_events(
    session: Session,
    job_id: str,
    *,
    after_seq: int = 0,
    event_type: EventType | None = None,
    limit: int = 100,
) -> Sequence[Event]:
    """List events in their order, those after `after_seq`, or only those of one type."""
    of_type = () if event_type is None else (EventRow.type == event_type,)
    statement = (
        sa.select(EventRow)
        .where(EventRow.job_id == job_id, EventRow.seq > after_seq, *of_type)
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
