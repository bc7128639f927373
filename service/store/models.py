"""Models: names with immutable versions, and everything a model can be called in a request."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.components import Component
from service.domain.evaluations import Evaluation
from service.domain.jobs import Baseline, JobSpec
from service.domain.models import Model, ModelList, ModelVersion, ModelVersionList, Servable
from service.store import paging
from service.store.errors import ModelNeverTrained, ModelNotFound, ModelNotReady, UnknownCursor
from service.store.tables import UNENDED, CheckpointRow, JobRow, ModelNameRow, ModelVersionRow

KNOWN_NAMES = 1000
LARGEST_VERSION = 2**63 - 1


def get_servable(session: Session, reference: str) -> Servable:
    """Find what a model reference stands for at this moment.

    `name` (newest version), `name@3`, `mdl_…`, `ckpt_…`, `job_…` (best checkpoint once it has
    succeeded, newest before), `job_…@best`, `job_…@latest`. Raises ModelNotFound, ModelNotReady
    while the job can still get there, ModelNeverTrained when it ended without.
    """
    if reference.startswith("ckpt_"):
        return _servable_checkpoint(session, reference)
    if reference.startswith("job_"):
        return _servable_job(session, reference)
    row = _find_version(session, reference)
    if row is not None:
        return _servable_version(row)
    name, _, selector = reference.partition("@")
    coming = sa.select(JobRow.id, JobRow.status).where(JobRow.model == name, UNENDED)
    job = session.execute(coming.order_by(JobRow.id.desc()).limit(1)).first()
    if job is not None and not selector:
        raise ModelNotReady(job.id, job.status)
    raise _not_found(session, reference)


def get_version(session: Session, reference: str) -> ModelVersion:
    """Read a version by `name` (newest), `name@3` or `mdl_…`. Raises ModelNotFound."""
    row = _find_version(session, reference)
    if row is None:
        raise _not_found(session, reference)
    return _to_version(row)


def get_model(session: Session, name: str) -> Model:
    """Read a named model with its newest version. Raises ModelNotFound."""
    row = session.execute(_latest().where(ModelNameRow.name == name)).one_or_none()
    if row is None:
        raise _not_found(session, name)
    return _to_model(row, _version_numbers(session, [name])[name])


def list_models(
    session: Session, *, limit: int = 20, after: str | None = None, task: str | None = None
) -> ModelList:
    """List named models, newest first; the cursor is a name. Raises UnknownCursor."""
    size = max(1, min(limit, paging.MAX_LIMIT))
    statement = _latest()
    if task is not None:
        statement = statement.where(ModelVersionRow.task == task)
    if after is not None:
        cursor = session.get(ModelNameRow, after)
        if cursor is None:
            raise UnknownCursor
        same_moment = sa.and_(
            ModelNameRow.created_at == cursor.created_at, ModelNameRow.name < cursor.name
        )
        statement = statement.where(
            sa.or_(ModelNameRow.created_at < cursor.created_at, same_moment)
        )
    newest_first = (ModelNameRow.created_at.desc(), ModelNameRow.name.desc())
    rows = session.execute(statement.order_by(*newest_first).limit(size + 1)).all()
    names = [row.ModelNameRow.name for row in rows]
    numbers = _version_numbers(session, names)
    data = [_to_model(row, numbers[name]) for row, name in zip(rows, names, strict=True)]
    return ModelList(data=data[:size], **paging.ends(names, size)._asdict())


def list_versions(
    session: Session, name: str, *, limit: int = 20, after: str | None = None
) -> ModelVersionList:
    """List the versions of a model, newest first. Raises ModelNotFound and UnknownCursor."""
    if session.get(ModelNameRow, name) is None:
        raise _not_found(session, name)
    statement = sa.select(ModelVersionRow).where(ModelVersionRow.name == name)
    rows, ends = paging.page(
        session, statement, id_column=ModelVersionRow.id, limit=limit, after=after
    )
    return ModelVersionList(data=[_to_version(row) for row in rows], **ends._asdict())


def _latest() -> Any:
    """Select every name together with its newest version."""
    of_name = sa.select(sa.func.max(ModelVersionRow.version)).where(
        ModelVersionRow.name == ModelNameRow.name
    )
    newest = ModelVersionRow.version == of_name.correlate(ModelNameRow).scalar_subquery()
    return sa.select(ModelNameRow, ModelVersionRow).join(
        ModelVersionRow, sa.and_(ModelVersionRow.name == ModelNameRow.name, newest)
    )


def _find_version(session: Session, reference: str) -> ModelVersionRow | None:
    statement = sa.select(ModelVersionRow)
    if reference.startswith("mdl_"):
        return session.scalars(statement.where(ModelVersionRow.id == reference)).one_or_none()
    name, at, selector = reference.partition("@")
    statement = statement.where(ModelVersionRow.name == name)
    if at:
        # Aliases are not all digits; there are none yet.
        if not (selector.isascii() and selector.isdigit()) or int(selector) > LARGEST_VERSION:
            return None
        statement = statement.where(ModelVersionRow.version == int(selector))
    return session.scalars(statement.order_by(ModelVersionRow.version.desc()).limit(1)).first()


def _servable_version(row: ModelVersionRow) -> Servable:
    return Servable(
        model=row.name or row.id,
        version=row.version,
        checkpoint=row.checkpoint_id,
        task=row.task,
        architecture=Component.model_validate(row.architecture),
        dataset=row.dataset_name,
        weights_sha256=row.weights_sha256,
        weights_bytes=row.weights_bytes,
        preparation_sha256=row.preparation_sha256,
    )


def _servable_checkpoint(session: Session, checkpoint_id: str) -> Servable:
    row = session.get(CheckpointRow, checkpoint_id)
    job = session.get(JobRow, row.job_id) if row else None
    if row is None or job is None:
        raise _not_found(session, checkpoint_id)
    return _of_checkpoint(row, JobSpec.model_validate(job.spec))


def _servable_job(session: Session, reference: str) -> Servable:
    job_id, at, selector = reference.partition("@")
    job = session.get(JobRow, job_id)
    if job is None or (at and selector not in {"best", "latest"}):
        raise _not_found(session, reference)
    if not at and job.status == "succeeded":
        made = sa.select(ModelVersionRow).where(ModelVersionRow.job_id == job_id)
        version = session.scalars(made.order_by(ModelVersionRow.id).limit(1)).first()
        if version is not None:
            return _servable_version(version)
    candidates = sa.select(CheckpointRow).where(CheckpointRow.job_id == job_id)
    if selector == "best":
        candidates = candidates.where(CheckpointRow.kind == "best")
    furthest = candidates.order_by(CheckpointRow.step.desc(), CheckpointRow.id.desc())
    row = session.scalars(furthest.limit(1)).first()
    if row is not None:
        return _of_checkpoint(row, JobSpec.model_validate(job.spec))
    if job.status in {"queued", "running", "paused"}:
        raise ModelNotReady(job_id, job.status)
    raise ModelNeverTrained(job_id, job.status)


def _of_checkpoint(row: CheckpointRow, spec: JobSpec) -> Servable:
    architecture, dataset = spec.trained_as(row.state_sha256)
    return Servable(
        model=spec.model or row.job_id,
        version=None,
        checkpoint=row.id,
        task=spec.task,
        architecture=architecture,
        dataset=dataset,
        weights_sha256=row.weights_sha256,
        weights_bytes=row.weights_bytes,
        preparation_sha256=row.preparation_sha256,
    )


def _version_numbers(session: Session, names: Sequence[str]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {name: [] for name in names}
    statement = sa.select(ModelVersionRow.name, ModelVersionRow.version).where(
        ModelVersionRow.name.in_(names)
    )
    for name, version in session.execute(statement.order_by(ModelVersionRow.version.desc())):
        if name is not None and version is not None:
            numbers[name].append(version)
    return numbers


def _not_found(session: Session, reference: str) -> ModelNotFound:
    known = session.scalars(sa.select(ModelNameRow.name).limit(KNOWN_NAMES)).all()
    return ModelNotFound(reference, known)


def _to_model(row: Any, versions: list[int]) -> Model:
    latest = _to_version(row.ModelVersionRow)
    name: ModelNameRow = row.ModelNameRow
    return Model(
        name=name.name,
        task=latest.task,
        latest=latest,
        versions=versions,
        created_at=name.created_at,
    )


def _to_version(row: ModelVersionRow) -> ModelVersion:
    return ModelVersion(
        id=row.id,
        model=row.name,
        version=row.version,
        task=row.task,
        architecture=Component.model_validate(row.architecture),
        dataset=row.dataset_name,
        job=row.job_id,
        checkpoint=row.checkpoint_id,
        metrics=row.metrics,
        baseline=Baseline.model_validate(row.baseline) if row.baseline else None,
        evaluation=Evaluation.model_validate(row.evaluation) if row.evaluation else None,
        parameters=row.parameters,
        bytes=row.weights_bytes,
        weights_sha256=row.weights_sha256,
        created_at=row.created_at,
    )
