"""Waiting for jobs (`Prefer: wait`, event streams): many wait, one poller looks for all of them.

Who waits holds neither a thread nor a connection. PostgreSQL could tell of news by NOTIFY: that
wins at most the time between two looks, and commits of all jobs stand in one line for it (measured:
benchmarks/README.md).
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import NamedTuple

from fastapi.concurrency import run_in_threadpool

from service.api.turns import AT_ONCE
from service.domain.jobs import JobStatus
from service.store import events as event_store
from service.store.engine import Database
from service.store.events import Head

POLL_SECONDS = 0.2

IsNews = Callable[[Head | None], bool]
"""Tells whether the newest of a job is what somebody waits for; None: the job is gone."""


class _Waiting(NamedTuple):
    is_news: IsNews
    heard: asyncio.Event


class Waiter:
    """Waits for changes of jobs; one per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: defaultdict[str, set[_Waiting]] = defaultdict(set)
        self._poller: asyncio.Task[None] | None = None
        self.closed = False

    def close(self) -> None:
        """Let everybody go at once, now and from now on: the service wants to end.

        Called on the event loop's own thread.
        """
        self.closed = True
        for waiters in self._waiting.values():
            for waiting in waiters:
                waiting.heard.set()

    async def wait_for_change(self, job_id: str, status: JobStatus, *, seconds: float) -> None:
        """Return when the job's status is another one, when it is gone, or after `seconds`."""
        await self.wait_for(
            job_id, lambda head: head is None or head.status != status, seconds=seconds
        )

    async def wait_for_event(self, job_id: str, seq: int, *, seconds: float) -> bool:
        """Wait for an event after `seq`, or for the job to go; False after `seconds`."""
        return await self.wait_for(
            job_id, lambda head: head is None or head.seq > seq, seconds=seconds
        )

    async def wait_for(self, job_id: str, is_news: IsNews, *, seconds: float) -> bool:
        """Wait for news of a job; False when there was none for `seconds`."""
        waiting = _Waiting(is_news, asyncio.Event())
        self._waiting[job_id].add(waiting)
        if self.closed:
            waiting.heard.set()
        if self._poller is None or self._poller.done():
            # It serves all: the deadline of the request that came first is not its own.
            self._poller = asyncio.create_task(self._poll(), context=Context())
        try:
            await asyncio.wait_for(waiting.heard.wait(), timeout=seconds)
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._waiting[job_id].discard(waiting)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    async def _poll(self) -> None:
        """Look as long as anybody waits. What a failing look raises wakes all: they look again."""
        while self._waiting:
            await asyncio.sleep(POLL_SECONDS)
            watched = list(self._waiting)
            try:
                heads = await run_in_threadpool(self._look, watched)
            except BaseException:
                for job_id in watched:
                    for waiting in self._waiting.get(job_id, ()):
                        waiting.heard.set()
                raise
            await self._wake(heads, watched)

    async def _wake(self, heads: Mapping[str, Head], watched: list[str]) -> None:
        """Wake those for whom there is news, some at a time; others' requests come in between."""
        woken = 0
        for job_id in watched:
            for waiting in [*self._waiting.get(job_id, ())]:
                if waiting.is_news(heads.get(job_id)):
                    waiting.heard.set()
                    woken += 1
                    if woken % AT_ONCE == 0:
                        await asyncio.sleep(0)

    def _look(self, job_ids: list[str]) -> Mapping[str, Head]:
        with self._database.read() as session:
            return event_store.find_heads(session, job_ids)
