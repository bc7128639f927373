"""Is the service ready? One look at the database for all who ask at the same moment."""

import asyncio
from typing import Literal

from anyio import CapacityLimiter, to_thread

from service.domain.base import Outgoing
from service.domain.problems import Problem
from service.store import migrate
from service.store import workers as worker_store
from service.store.engine import Database, database_now


class Readiness(Outgoing):
    """Whether requests can be served; workers are only told of."""

    status: Literal["ready", "not_ready"]
    reason: str | None
    workers_fresh: int
    workers_stale: int


class Probe:
    """Looks, in a thread of its own: requests that fill all others do not make it wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = CapacityLimiter(1)
        self._look: asyncio.Task[Readiness] | None = None

    async def look(self) -> Readiness:
        """Look, or wait for the look that is under way."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._begin())
        return await asyncio.shield(self._look)

    async def _begin(self) -> Readiness:
        return await to_thread.run_sync(_readiness, self._database, limiter=self._thread)


def _readiness(database: Database) -> Readiness:
    try:
        if not migrate.is_current(database):
            return _not_ready("The database is not migrated: run `trainyard migrate`.")
        database.check_writable()
        with database.read() as session:
            workers = worker_store.list_workers(session)
            now = database_now(session)
    except Problem as problem:  # what this path is for: to say in words why it is not ready
        return _not_ready(problem.detail)
    fresh = sum(worker.is_fresh(now) for worker in workers)
    return Readiness(
        status="ready", reason=None, workers_fresh=fresh, workers_stale=len(workers) - fresh
    )


def _not_ready(reason: str) -> Readiness:
    return Readiness(status="not_ready", reason=reason, workers_fresh=0, workers_stale=0)
