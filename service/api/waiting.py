"""`Prefer: wait`: many requests wait for jobs, one poller asks the database for all of them.

A waiting request holds neither a thread nor a connection.
"""

import asyncio
from collections import defaultdict
from contextvars import Context
from typing import NamedTuple

from fastapi.concurrency import run_in_threadpool

from service.domain.jobs import JobStatus
from service.store import jobs as job_store
from service.store.engine import Database

POLL_SECONDS = 0.2


class _Waiting(NamedTuple):
    status: JobStatus
    changed: asyncio.Event


class Waiter:
    """Waits for changes of jobs; one per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: defaultdict[str, set[_Waiting]] = defaultdict(set)
        self._poller: asyncio.Task[None] | None = None
        self._closed = False

    def close(self) -> None:
        """Let everybody go at once, now and from now on: the service wants to end.

        Called on the event loop's own thread.
        """
        self._closed = True
        for waiters in self._waiting.values():
            for waiting in waiters:
                waiting.changed.set()

    async def wait_for_change(self, job_id: str, status: JobStatus, *, seconds: float) -> None:
        """Return when the job's status is another one, when it is gone, or after `seconds`."""
        waiting = _Waiting(status, asyncio.Event())
        self._waiting[job_id].add(waiting)
        if self._closed:
            waiting.changed.set()
        if self._poller is None or self._poller.done():
            # It serves all: the deadline of the request that came first is not its own.
            self._poller = asyncio.create_task(self._poll(), context=Context())
        try:
            await asyncio.wait_for(waiting.changed.wait(), timeout=seconds)
        except TimeoutError:
            return
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
                statuses = await run_in_threadpool(self._statuses, watched)
            except BaseException:
                for job_id in watched:
                    self._wake(job_id, None)
                raise
            for job_id in watched:
                self._wake(job_id, statuses.get(job_id))

    def _wake(self, job_id: str, status: JobStatus | None) -> None:
        for waiting in self._waiting.get(job_id, ()):
            if waiting.status != status:
                waiting.changed.set()

    def _statuses(self, job_ids: list[str]) -> dict[str, JobStatus]:
        with self._database.read() as session:
            return job_store.find_statuses(session, job_ids)
