"""The end of a training: its best checkpoint becomes a model version, in one transaction."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.evaluations import Evaluation
from service.domain.jobs import Baseline, JobResult, JobSpec, RunInfo
from service.store import events
from service.store.errors import ModelTaskDiffers, NothingToServe
from service.store.leases import change_held, held_job, leaving_running
from service.store.tables import CheckpointRow, JobRow
from service.store.versions import add_version, check_task, next_version


def best_weights(session: Session, job_id: str) -> str:
    """Return the SHA-256 of the weights that `succeed` will serve. Raises NothingToServe."""
    return _best(session, job_id).weights_sha256


def succeed(
    session: Session,
    lease: str,
    *,
    baseline: Baseline,
    evaluation: Evaluation | None = None,
    now: datetime,
    reason: str | None = None,
) -> JobResult:
    """End the job as succeeded; make its model version. Raises LeaseLost, NothingToServe.

    `evaluation` is of the best checkpoint. `reason` says why it ended early, if it did
    (`early_stopping`, `max_seconds`).
    """
    job = held_job(session, lease)
    spec = JobSpec.model_validate(job.spec)
    best = _best(session, job.id)
    name, version = _next_free(session, job.id, spec, now)
    version_id = add_version(
        session,
        best,
        job,
        name=name,
        version=version,
        baseline=baseline,
        evaluation=evaluation,
        parameters=RunInfo.model_validate(job.run).parameters,
        now=now,
    )
    result = JobResult(
        model=name or version_id,
        version=version,
        model_id=version_id,
        checkpoint=best.id,
        metrics=best.metrics,
        baseline=baseline,
        evaluation=evaluation,
    )
    ended = leaving_running("succeeded", now, reason=reason)
    values = {**ended, JobRow.ended_at: now, JobRow.result: result.model_dump(mode="json")}
    change_held(session, lease, values)
    data = {"model": result.model, "version": version, "checkpoint": best.id, "reason": reason}
    events.append(session, job.id, "succeeded", data=data, now=now)
    return result


def _next_free(
    session: Session, job_id: str, spec: JobSpec, now: datetime
) -> tuple[str | None, int | None]:
    """Take the next version of the model that the job shall make; none, if another task has it.

    That was checked when the job came, but others end before it; its work shall not be lost.
    """
    if spec.model is None:
        return None, None
    try:
        with session.begin_nested():
            version = next_version(session, spec.model, now)  # locks the name: then look
            check_task(session, spec.model, spec.task)
    except ModelTaskDiffers as taken:
        message = f"The version is under no name: {taken.detail}"
        data = {"code": taken.code, "message": message}
        events.append(session, job_id, "warning", data=data, now=now)
        return None, None
    return spec.model, version


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
