"""Jobs as clients read them: one, its status alone, or a page of many."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.jobs import (
    Job,
    JobError,
    JobList,
    JobResult,
    JobSpec,
    JobStatus,
    Progress,
    RunInfo,
)
from service.domain.requests import JobKind
from service.store import paging
from service.store.errors import JobNotFound
from service.store.tables import (
    QUEUED,
    UNENDED,
    JobLabelRow,
    JobRow,
)


class JobFilters(NamedTuple):
    """What a list of jobs is narrowed to. `kind` None shows every kind."""

    status: JobStatus | None = None
    kind: str | None = "train"
    model: str | None = None
    dataset: str | None = None
    client_id: str | None = None
    metadata: Mapping[str, str] = {}


def get_job(session: Session, job_id: str) -> Job:
    """Read a job. Raises JobNotFound."""
    row = session.get(JobRow, job_id, populate_existing=True)
    if row is None:
        raise JobNotFound
    return _to_job(row, queue_positions(session, [row]).get(row.id))


def find_status(session: Session, job_id: str) -> tuple[JobStatus, str | None] | None:
    """Read status and reason only: what a poller asks often."""
    statement = sa.select(JobRow.status, JobRow.status_reason).where(JobRow.id == job_id)
    row = session.execute(statement).one_or_none()
    return (cast("JobStatus", row.status), row.status_reason) if row else None


def find_statuses(session: Session, job_ids: Sequence[str]) -> dict[str, JobStatus]:
    """Read the statuses of many jobs at once; those that are gone are left out."""
    statement = sa.select(JobRow.id, JobRow.status).where(JobRow.id.in_(job_ids))
    return {row.id: cast("JobStatus", row.status) for row in session.execute(statement)}


def list_jobs(
    session: Session, *, filters: JobFilters, limit: int = 20, after: str | None = None
) -> JobList:
    """List jobs, newest first. Raises UnknownCursor."""
    statement = sa.select(JobRow)
    for column, value in (
        (JobRow.status, filters.status),
        (JobRow.kind, filters.kind),
        (JobRow.model, filters.model),
        (JobRow.dataset_name, filters.dataset),
        (JobRow.client_id, filters.client_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    for key, value in filters.metadata.items():
        labelled = sa.select(JobLabelRow.job_id).where(
            JobLabelRow.key == key, JobLabelRow.value == value, JobLabelRow.job_id == JobRow.id
        )
        statement = statement.where(labelled.exists())
    rows, ends = paging.page(session, statement, id_column=JobRow.id, limit=limit, after=after)
    positions = queue_positions(session, rows)
    return JobList(data=[_to_job(row, positions.get(row.id)) for row in rows], **ends._asdict())


def dataset_in_use(session: Session, dataset_id: str) -> bool:
    """Tell whether a job that has not ended uses the dataset."""
    using = sa.select(JobRow.id).where(JobRow.dataset_id == dataset_id, UNENDED)
    return session.scalars(sa.select(using.exists())).one()


def count_queued(session: Session) -> int:
    """Count the jobs that wait."""
    return session.scalars(sa.select(sa.func.count()).select_from(JobRow).where(QUEUED)).one()


def queue_positions(session: Session, rows: Iterable[JobRow]) -> dict[str, int]:
    """Number the queued among `rows` by their place in the queue; 1 is next."""
    queued = [row.id for row in rows if row.status == "queued"]
    if not queued:
        return {}
    place = sa.func.row_number().over(order_by=(JobRow.priority.desc(), JobRow.id))
    queue = sa.select(JobRow.id, place.label("place")).where(QUEUED).subquery()
    found = session.execute(sa.select(queue.c.id, queue.c.place).where(queue.c.id.in_(queued)))
    return {row.id: row.place for row in found}


def _to_job(row: JobRow, queue_position: int | None) -> Job:
    return Job(
        id=row.id,
        kind=cast("JobKind", row.kind),
        client_id=row.client_id,
        status=cast("JobStatus", row.status),
        status_reason=row.status_reason,
        progress=Progress.model_validate(row.progress),
        queue_position=queue_position,
        priority=row.priority,
        attempt=row.attempt,
        error=JobError.model_validate(row.error) if row.error else None,
        result=JobResult.model_validate(row.result) if row.result else None,
        run=RunInfo.model_validate(row.run) if row.run else None,
        parent_job=row.parent_job,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        updated_at=row.updated_at,
        spec=JobSpec.model_validate(row.spec),
        metadata=row.labels,
    )
