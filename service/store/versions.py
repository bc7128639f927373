"""Making model versions: of a job's best checkpoint at its end, or of any that is promoted."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.evaluations import Evaluation
from service.domain.jobs import Baseline, JobResult, JobSpec, RunInfo
from service.domain.models import ModelVersion
from service.store.engine import upsert
from service.store.errors import CheckpointNotFound, ModelTaskDiffers
from service.store.ids import new_id
from service.store.models import evaluations_of, get_version
from service.store.tables import CheckpointRow, JobRow, ModelNameRow, ModelVersionRow


def promote(
    session: Session, name: str, checkpoint_id: str, *, parameters: int, now: datetime
) -> ModelVersion:
    """Make a checkpoint of any job the next version of a model, which is new if need be.

    Raises CheckpointNotFound, and ModelTaskDiffers where the model's versions learned another task.
    """
    row, job = _locked(session, checkpoint_id)
    version = next_version(session, name, now)
    check_task(session, name, JobSpec.model_validate(job.spec).task)
    made = add_version(
        session,
        row,
        job,
        name=name,
        version=version,
        baseline=_baseline(row, job),
        evaluation=_evaluation(session, row),
        parameters=parameters,
        now=now,
    )
    return get_version(session, made)


def check_task(session: Session, name: str, task: str) -> None:
    """Raise ModelTaskDiffers where the versions of a model learned another task."""
    others = sa.select(ModelVersionRow.task).where(ModelVersionRow.name == name)
    for other in session.scalars(others.limit(1)):
        if other != task:
            raise ModelTaskDiffers(name, other, task)


def add_version(
    session: Session,
    row: CheckpointRow,
    job: JobRow,
    *,
    name: str | None,
    version: int | None,
    baseline: Baseline | None,
    evaluation: Evaluation | None,
    parameters: int,
    now: datetime,
) -> str:
    """Store a version that refers to all that it needs: it outlives its job. Return its id."""
    spec = JobSpec.model_validate(job.spec)
    architecture, dataset = spec.trained_as(row.state_sha256)
    version_id = new_id("mdl")
    session.add(
        ModelVersionRow(
            id=version_id,
            name=name,
            version=version,
            job_id=job.id,
            checkpoint_id=row.id,
            task=spec.task,
            architecture=architecture.model_dump(mode="json"),
            dataset_name=dataset,
            metrics=row.metrics,
            baseline=baseline.model_dump(mode="json") if baseline else sa.JSON.NULL,
            evaluation=evaluation.model_dump(mode="json") if evaluation else None,
            parameters=parameters,
            weights_sha256=row.weights_sha256,
            weights_bytes=row.weights_bytes,
            preparation_sha256=row.preparation_sha256,
            created_at=now,
        )
    )
    session.flush()
    return version_id


def next_version(session: Session, name: str, now: datetime) -> int:
    """Take the name's next number; the row stays locked until the version is stored."""
    first = {"name": name, "next_version": 2, "created_at": now}
    statement = upsert(session, ModelNameRow).values(first)
    following: int = session.scalars(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"next_version": ModelNameRow.next_version + 1}
        ).returning(ModelNameRow.next_version)
    ).one()
    return following - 1


def _locked(session: Session, checkpoint_id: str) -> tuple[CheckpointRow, JobRow]:
    """Find a checkpoint and its job, which may run and drop it: locked against that.

    First the job, as who deletes it does. Raises CheckpointNotFound.
    """
    of_checkpoint = sa.select(CheckpointRow.job_id).where(CheckpointRow.id == checkpoint_id)
    jobs = sa.select(JobRow).where(JobRow.id == of_checkpoint.scalar_subquery())
    job = session.scalars(jobs.with_for_update(read=True, key_share=True)).one_or_none()
    rows = sa.select(CheckpointRow).where(CheckpointRow.id == checkpoint_id)
    row = session.scalars(rows.with_for_update(read=True, key_share=True)).one_or_none()
    if row is None or job is None:
        raise CheckpointNotFound
    return row, job


def _baseline(row: CheckpointRow, job: JobRow) -> Baseline | None:
    """Find what the simplest guess reaches: known since the job started, or since it ended.

    Of what a job began with, only the job that trained it knows.
    """
    begun = JobSpec.model_validate(job.spec).beginning
    if begun is not None and begun.state_sha256 == row.state_sha256:
        return None
    run = RunInfo.model_validate(job.run) if job.run else None
    if run is not None and run.baseline is not None:
        return run.baseline
    return JobResult.model_validate(job.result).baseline if job.result else None


def _evaluation(session: Session, row: CheckpointRow) -> Evaluation | None:
    """Find what the job's end told of the same weights; of others nobody knows."""
    of_them = evaluations_of(row).where(ModelVersionRow.job_id == row.job_id)
    known = filter(None, session.scalars(of_them))
    return next(map(Evaluation.model_validate, known), None)
