"""A job's events as a stream (WHATWG HTML, section 9.2): what was, what comes, and the end.

However many listen to a job, what they all need next is read and written down once. A listener has
only its place, `seq`: a slow one fills no queue, and one that comes again misses nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextvars import Context
from typing import NamedTuple

from fastapi.concurrency import run_in_threadpool

from service.api.turns import Turns
from service.api.waiting import Waiter
from service.domain.events import Event, EventType
from service.domain.jobs import ENDED
from service.domain.problems import Unavailable
from service.store import events as event_store
from service.store.engine import Database
from service.store.events import Tail

MEDIA_TYPE = "text/event-stream"
HEARTBEAT_SECONDS = 15.0
SHARED_SECONDS = 0.1
"""So long what was read is good for others who are at the same place."""

PIECE = 500
"""So many events are read at once."""

RETRY = b"retry: 1000\n\n"
HEARTBEAT = b": still here\n\n"
DELETED = "deleted"


class News(NamedTuple):
    """What happened after some place, and as it is sent: the same bytes to all who are there."""

    tail: Tail
    frames: bytes

    def frames_of(self, event_type: EventType | None) -> bytes:
        """Return what is sent to who wants only one type of events, or all."""
        if event_type is None:
            return self.frames
        return b"".join(_frame(each) for each in self.tail.events if each.type == event_type)


class EventFeed:
    """Reads what listeners need, once for all who are at the same place; one per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turns = Turns()
        self._reading: dict[tuple[str, int], asyncio.Task[News | None]] = {}

    async def after(self, job_id: str, seq: int) -> News | None:
        """Return what happened after `seq`, at most `PIECE` events; None without the job."""
        place = job_id, seq
        reading = self._reading.get(place)
        if reading is None:
            # It serves all: the deadline of the request that came first is not its own.
            reading = asyncio.create_task(self._read(job_id, seq), context=Context())
            self._reading[place] = reading
        news = reading.result() if reading.done() else await asyncio.shield(reading)
        await self._turns.take()
        return news

    async def _read(self, job_id: str, seq: int) -> News | None:
        try:
            return await run_in_threadpool(self._find, job_id, seq)
        finally:
            forget = self._reading.pop
            asyncio.get_running_loop().call_later(SHARED_SECONDS, forget, (job_id, seq), None)

    def _find(self, job_id: str, seq: int) -> News | None:
        with self._database.read() as session:
            tail = event_store.find_tail(session, job_id, after_seq=seq, limit=PIECE)
        return None if tail is None else News(tail, b"".join(map(_frame, tail.events)))


async def follow(
    feed: EventFeed,
    waiter: Waiter,
    job_id: str,
    seq: int,
    *,
    event_type: EventType | None = None,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> AsyncIterator[bytes]:
    """Send what happened after `seq` and what happens, or one type of it, until the job has ended.

    A service that ends, or whose database fails, just stops: the listener comes again.
    """
    yield RETRY
    while not waiter.closed:
        try:
            news = await feed.after(job_id, seq)
        except Unavailable:
            return
        if news is None:
            yield _end(DELETED)
            return
        tail = news.tail
        if tail.events:
            # Of other events at least a sign of life: they come, and the listener hears nothing.
            yield news.frames_of(event_type) or HEARTBEAT
            seq = tail.events[-1].seq
        if not tail.is_whole:
            continue
        if tail.head.status in ENDED:
            yield _end(tail.head.status)
            return
        while not await waiter.wait_for_event(job_id, seq, seconds=heartbeat_seconds):
            yield HEARTBEAT


async def replay(
    feed: EventFeed,
    waiter: Waiter,
    job_id: str,
    seq: int,
    *,
    event_type: EventType | None = None,
    speed: float,
) -> AsyncIterator[bytes]:
    """Send the events of a job that has ended with their pauses, `speed` times as fast."""
    yield RETRY
    last: Event | None = None
    while not waiter.closed:
        try:
            news = await feed.after(job_id, seq)
        except Unavailable:
            return
        if news is None:
            yield _end(DELETED)
            return
        tail = news.tail
        for event in tail.events:
            pause = (event.created_at - last.created_at).total_seconds() / speed if last else 0.0
            async for heartbeat in _paused(waiter, job_id, pause):
                yield heartbeat
            if waiter.closed:
                return
            if event_type in {None, event.type}:
                yield _frame(event)
            last, seq = event, event.seq
        if tail.is_whole:
            yield _end(tail.head.status)
            return


async def _paused(waiter: Waiter, job_id: str, seconds: float) -> AsyncIterator[bytes]:
    """Wait, with heartbeats; not longer than the job and the service are there."""
    while seconds > 0:
        waited = min(seconds, HEARTBEAT_SECONDS)
        if await waiter.wait_for(job_id, lambda head: head is None, seconds=waited):
            return
        seconds -= waited
        if seconds > 0:
            yield HEARTBEAT


def frame(event: str, data: str) -> bytes:
    """Write an event with a line of data."""
    return f"event: {event}\ndata: {data}\n\n".encode()


def _frame(event: Event) -> bytes:
    return f"id: {event.seq}\n".encode() + frame(event.type, event.model_dump_json())


def _end(status: str) -> bytes:
    return frame("end", f'{{"status":"{status}"}}')
