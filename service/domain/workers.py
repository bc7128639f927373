"""A worker process, as the others see it."""

from datetime import datetime, timedelta
from typing import Literal

from service.domain.base import Moment, Outgoing

WorkerStatus = Literal["running", "draining"]
FRESH = timedelta(seconds=30)
"""So old the heartbeat of a worker may be that is counted on."""


class NewWorker(Outgoing):
    """What a worker says about itself when it begins."""

    id: str
    host: str
    pid: int
    devices: list[str]
    components: list[str]
    threads: int
    places: int = 1


class Worker(NewWorker):
    """A worker that is registered; fresh if its heartbeat is recent."""

    status: WorkerStatus
    started_at: Moment
    heartbeat_at: Moment

    def is_fresh(self, now: datetime) -> bool:
        """Tell whether it was heard of lately."""
        return now - self.heartbeat_at < FRESH

    def takes_jobs(self, now: datetime) -> bool:
        """Tell whether it may take another job: it is fresh, and does not drain."""
        return self.status == "running" and self.is_fresh(now)
