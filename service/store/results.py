"""The end of a training: its best checkpoint becomes a model version, in one transaction."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.jobs import Baseline, JobResult, JobSpec, RunInfo
from service.store import events
from service.store.engine import upsert
from service.store.errors import NothingToServe
from service.store.ids import new_id
from service.store.leases import change_held, held_job, leaving_running
from service.store.tables import CheckpointRow, JobRow, ModelNameRow, ModelVersionRow


def succeed(
    session: Session, lease: str, *, baseline: Baseline, now: datetime, reason: str | None = None
) -> JobResult:
    """End the job as succeeded; make its model version. Raises LeaseLost, NothingToServe.

    `reason` says why it ended early, if it did (`early_stopping`, `max_seconds`).
    """
    job = held_job(session, lease)
    spec = JobSpec.model_validate(job.spec)
    best = _best(session, job.id)
    version_id = new_id("mdl")
    version = _next_version(session, spec.model, now) if spec.model else None
    session.add(
        ModelVersionRow(
            id=version_id,
            name=spec.model,
            version=version,
            job_id=job.id,
            checkpoint_id=best.id,
            task=spec.task,
            architecture=spec.architecture.model_dump(mode="json"),
            dataset_name=spec.dataset.name,
            metrics=best.metrics,
            baseline=baseline.model_dump(mode="json"),
            parameters=RunInfo.model_validate(job.run).parameters,
            weights_sha256=best.weights_sha256,
            weights_bytes=best.weights_bytes,
            preparation_sha256=best.preparation_sha256,
            created_at=now,
        )
    )
    session.flush()
    result = JobResult(
        model=spec.model or version_id,
        version=version,
        model_id=version_id,
        checkpoint=best.id,
        metrics=best.metrics,
        baseline=baseline,
    )
    ended = leaving_running("succeeded", now, reason=reason)
    values = {**ended, JobRow.ended_at: now, JobRow.result: result.model_dump(mode="json")}
    change_held(session, lease, values)
    data = {"model": result.model, "version": version, "checkpoint": best.id, "reason": reason}
    events.append(session, job.id, "succeeded", data=data, now=now)
    return result


def _best(session: Session, job_id: str) -> CheckpointRow:
    """Find the newest of kind best; without one, the checkpoint that came furthest."""
    best_first = sa.case((CheckpointRow.kind == "best", 0), else_=1)
    row = session.scalars(
        sa.select(CheckpointRow)
        .where(CheckpointRow.job_id == job_id)
        .order_by(best_first, CheckpointRow.step.desc(), CheckpointRow.id.desc())
        .limit(1)
    ).first()
    if row is None:
        raise NothingToServe(job_id)
    return row


def _next_version(session: Session, name: str, now: datetime) -> int:
    """Take the name's next number; the row stays locked until the version is stored."""
    first = {"name": name, "next_version": 2, "created_at": now}
    statement = upsert(session, ModelNameRow).values(first)
    following: int = session.scalars(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"next_version": ModelNameRow.next_version + 1}
        ).returning(ModelNameRow.next_version)
    ).one()
    return following - 1
