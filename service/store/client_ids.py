"""Jobs under ids of their clients: the same request finds the job that it made."""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.jobs import Job
from service.store.errors import ClientIdTaken
from service.store.job_reads import get_job
from service.store.tables import JobRow

OTHER_REQUEST = (
    "The job with this client_id was made of another request. GET /v1/jobs?client_id=… shows it; "
    "send the request that it was made of, or choose a new client_id."
)


def find_job(session: Session, client_id: str, request_sha256: str) -> Job | None:
    """Find the job with this client_id. Raises ClientIdTaken if another request made it."""
    known = sa.select(JobRow.id, JobRow.request_sha256).where(JobRow.client_id == client_id)
    row = session.execute(known).one_or_none()
    if row is None:
        return None
    if row.request_sha256 != request_sha256:  # or not known: of an older release, or a fork
        raise ClientIdTaken(OTHER_REQUEST)
    return get_job(session, row.id)


def find_or_make(
    session: Session, client_id: str, request_sha256: str, make: Callable[[], Job]
) -> tuple[Job, bool]:
    """Return the job with this client_id, and whether it had to be made.

    Raises ClientIdTaken if another request made it.
    """
    job = find_job(session, client_id, request_sha256)
    if job is not None:
        return job, False
    try:
        return make(), True
    except ClientIdTaken:  # somebody else was quicker, at this very moment
        job = find_job(session, client_id, request_sha256)
        if job is None:
            raise
        return job, False
