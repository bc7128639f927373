"""A worker process, as the others see it."""

from typing import Literal

from service.domain.base import Moment, Outgoing

WorkerStatus = Literal["running", "draining"]


class NewWorker(Outgoing):
    """What a worker says about itself when it begins."""

    id: str
    host: str
    pid: int
    devices: list[str]
    components: list[str]
    threads: int


class Worker(NewWorker):
    """A worker that is registered; fresh if its heartbeat is recent."""

    status: WorkerStatus
    started_at: Moment
    heartbeat_at: Moment
