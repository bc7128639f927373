"""Jobs as clients act on them: accept, read, list, cancel, pause, resume, retry, delete."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.domain.jobs import Job, JobSpec, NewJob, Progress
from service.store import events
from service.store.actions import apply_action
from service.store.engine import upsert
from service.store.errors import ClientIdTaken, DatasetNotFound, JobNotFound
from service.store.ids import new_id
from service.store.job_reads import (
    JobFilters,
    dataset_in_use,
    find_status,
    find_statuses,
    get_job,
    list_jobs,
)
from service.store.queue import count_queued
from service.store.tables import JobComponentRow, JobLabelRow, JobRow

__all__ = [
    "JobFilters",
    "apply_action",
    "count_queued",
    "dataset_in_use",
    "enqueue",
    "find_status",
    "find_statuses",
    "get_job",
    "list_jobs",
]


def enqueue(session: Session, new: NewJob, *, now: datetime) -> Job:
    """Accept a job. Raises ClientIdTaken, and DatasetNotFound or JobNotFound when one went."""
    job_id = new_id("job")
    values = {"id": job_id, **_first_values(new, now)}
    statement = upsert(session, JobRow).values(values)
    try:
        with session.begin_nested():
            inserted = session.scalars(
                statement.on_conflict_do_nothing(index_elements=["client_id"]).returning(JobRow.id)
            ).first()
    except IntegrityError as error:  # the foreign keys: PostgreSQL locked their rows for us
        if new.parent_job is not None and find_status(session, new.parent_job) is None:
            raise JobNotFound from error
        raise DatasetNotFound(new.spec.dataset.name, []) from error
    if inserted is None:
        raise ClientIdTaken
    components = [{"job_id": job_id, "component": name} for name in new.spec.components()]
    session.execute(sa.insert(JobComponentRow), components)
    if new.metadata:
        labels = [{"job_id": job_id, "key": k, "value": v} for k, v in new.metadata.items()]
        session.execute(sa.insert(JobLabelRow), labels)
    events.append(session, job_id, "queued", data={}, now=now)
    return get_job(session, job_id)


def _first_values(new: NewJob, now: datetime) -> dict[str, object]:
    spec = new.spec
    training = spec.training
    return {
        "kind": new.kind,
        "client_id": new.client_id,
        "status": "queued",
        "priority": new.priority,
        "device": training.device,
        "model": spec.model,
        "dataset_id": spec.dataset.id,
        "dataset_name": spec.dataset.name,
        "parent_job": new.parent_job,
        "spec": spec.model_dump(mode="json"),
        "labels": new.metadata,
        "request_sha256": new.request_sha256,
        "attempt": 0,
        "deaths": 0,
        "reclaims": 0,
        "event_seq": 0,
        "trained_seconds": 0.0,
        "progress": _first_progress(spec).model_dump(mode="json"),
        "created_at": now,
        "updated_at": now,
    }


def _first_progress(spec: JobSpec) -> Progress:
    """Say where the job begins; a fork does where its checkpoint is."""
    training, begun = spec.training, spec.continues_from
    step, epoch = (begun.step, begun.epoch) if begun else (0, 0)
    done, whole = (epoch, training.epochs) if training.epochs else (step, training.max_steps)
    return Progress(
        epoch=epoch,
        epochs=training.epochs,
        step=step,
        steps=training.max_steps,
        percent=min(100.0, 100 * done / whole) if whole else 0.0,
    )
