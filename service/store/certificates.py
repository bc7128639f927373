"""Certificates, read out of the events of a job: they stay when checkpoints are dropped."""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.certificates import Certificate, Stretch, Taken, certify
from service.domain.jobs import JobSpec
from service.store.errors import JobNotFound
from service.store.tables import EventRow, JobRow, Json

ROWS_AT_ONCE = 1000


def get_certificate(session: Session, job_id: str) -> Certificate:
    """Make the certificate of a job, of what it has done so far. Raises JobNotFound."""
    spec = session.scalars(sa.select(JobRow.spec).where(JobRow.id == job_id)).one_or_none()
    if spec is None:
        raise JobNotFound
    return certify(
        job_id, JobSpec.model_validate(spec), _stretches(session, job_id), _taken(session, job_id)
    )


def _stretches(session: Session, job_id: str) -> list[Stretch]:
    attempt = 0
    found: list[Stretch] = []
    for row in session.execute(_events(job_id, "claimed", "started")):
        if row.type == "claimed":
            attempt = row.data["attempt"]
            continue
        shown = {name: row.data[name] for name in ("checkpoint", "step", "exact", "differs")}
        environment = row.data["run"]["environment"]
        found.append(Stretch(attempt=attempt, environment=environment, **shown))
    return found


def _taken(session: Session, job_id: str) -> Iterator[Taken | None]:
    rows = session.execute(
        _events(job_id, "checkpoint"), execution_options={"yield_per": ROWS_AT_ONCE}
    )
    for row in rows:
        told = "state_sha256" in row.data  # earlier versions wrote less
        yield Taken(**{name: row.data[name] for name in Taken._fields}) if told else None


def _events(job_id: str, *types: str) -> sa.Select[str, Json]:
    of_types = sa.select(EventRow.type, EventRow.data).where(EventRow.type.in_(types))
    return of_types.where(EventRow.job_id == job_id).order_by(EventRow.seq)
