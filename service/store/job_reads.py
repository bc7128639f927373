"""Jobs as clients read them: one, its status alone, or a page of many."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

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
from service.store.queue import Standing, standings
from service.store.tables import UNENDED, JobLabelRow, JobRow


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
    return _to_job(row, standings(session, [row]).get(row.id, Standing()))


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
    labels = [aliased(JobLabelRow) for _ in filters.metadata]
    for label, (key, value) in zip(labels, filters.metadata.items(), strict=True):
        joined = sa.and_(label.job_id == JobRow.id, label.key == key, label.value == value)
        statement = statement.join(label, joined)
    # A label's index has its jobs in order, however few or many of all jobs they are.
    walked = labels[0].job_id if labels else JobRow.id
    rows, ends = paging.page(
        session, statement, id_column=JobRow.id, limit=limit, after=after, walked=walked
    )
    found = standings(session, rows)
    jobs = [_to_job(row, found.get(row.id, Standing())) for row in rows]
    return JobList(data=jobs, **ends._asdict())


def dataset_in_use(session: Session, dataset_id: str) -> bool:
    """Tell whether a job that has not ended uses the dataset."""
    using = sa.select(JobRow.id).where(JobRow.dataset_id == dataset_id, UNENDED)
    return session.scalars(sa.select(using.exists())).one()


def _to_job(row: JobRow, standing: Standing) -> Job:
    # Why it waits comes first; what was said when it was given back is not lost. An order that is
    # noted stands alone: programs compare it.
    waits = None if row.noted_order else standing.reason
    reasons = [reason for reason in (waits, row.status_reason) if reason]
    return Job(
        id=row.id,
        kind=cast("JobKind", row.kind),
        client_id=row.client_id,
        status=cast("JobStatus", row.status),
        status_reason="; ".join(reasons) or None,
        progress=Progress.model_validate(row.progress),
        queue_position=standing.position,
        estimated_start_at=standing.estimated_start_at,
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
