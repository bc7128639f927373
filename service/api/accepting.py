"""How jobs come into the queue, whatever path they come by."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from service.api.parts import Parts
from service.domain.jobs import Job, NewJob
from service.domain.problems import Unavailable
from service.store import beginnings, versions
from service.store import jobs as job_store
from service.store.beginnings import FirstCheckpoint
from service.store.engine import database_now


class QueueFull(Unavailable):
    """As many jobs wait as the service takes."""

    code = "queue_full"
    title = "The queue is full"
    retry_after_seconds = 30

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} jobs wait already. Cancel some, or send this one later.")


def accept(
    parts: Parts, session: Session, new: NewJob, *, first: Sequence[FirstCheckpoint] = ()
) -> Job:
    """Put a job into the queue, with the checkpoints that it begins with.

    Raises QueueFull, ClientIdTaken, ModelTaskDiffers, DatasetNotFound, JobNotFound and
    CheckpointNotFound.
    """
    if new.spec.model is not None:
        versions.check_task(session, new.spec.model, new.spec.task)
    if job_store.count_queued(session) >= parts.settings.max_queued_jobs:
        raise QueueFull(parts.settings.max_queued_jobs)
    now = database_now(session)
    job = job_store.enqueue(session, new, now=now)
    beginnings.begin_with(session, job.id, first, now=now)
    return job
