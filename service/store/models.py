"""Models: names with immutable versions, and everything a model can be called in a request."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.bundles import Origin
from service.domain.components import Component
from service.domain.evaluations import Calibration, Evaluation
from service.domain.jobs import Baseline, JobSpec
from service.domain.models import Model, ModelList, ModelVersion, ModelVersionList, Servable
from service.store import paging
from service.store.errors import ModelNeverTrained, ModelNotFound, ModelNotReady, UnknownCursor
from service.store.tables import (
    UNENDED,
    CheckpointRow,
    JobRow,
    ModelAliasRow,
    ModelNameRow,
    ModelTagRow,
    ModelVersionRow,
)

KNOWN_NAMES = 1000
LARGEST_VERSION = 2**63 - 1


def get_servable(session: Session, reference: str) -> Servable:
    """Find what a model reference stands for at this moment.

    `name` or `name@latest` (newest version), `name@3`, `name@alias`, `mdl_…`, `ckpt_…`, `job_…`
    (best checkpoint once it has succeeded, newest before), `job_…@best`, `job_…@latest`. Raises
    ModelNotFound, ModelNotReady while the job can still get there, ModelNeverTrained when it ended
    without.
    """
    if reference.startswith("ckpt_"):
        return _servable_checkpoint(session, reference)
    if reference.startswith("job_"):
        return _servable_job(session, reference)
    row = find_version(session, reference)
    if row is not None:
        return _servable_version(row)
    name, _, selector = reference.partition("@")
    coming = sa.select(JobRow.id, JobRow.status).where(JobRow.model == name, UNENDED)
    job = session.execute(coming.order_by(JobRow.id.desc()).limit(1)).first()
    if job is not None and not selector:
        raise ModelNotReady(job.id, job.status)
    raise not_found(session, reference)


def get_version(session: Session, reference: str) -> ModelVersion:
    """Read a version by `name`, `name@3`, `name@alias` or `mdl_…`. Raises ModelNotFound."""
    row = find_version(session, reference)
    if row is None:
        raise not_found(session, reference)
    return _to_version(row, _aliases(session, [row.name]).get(row.name, []) if row.name else [])


def get_model(session: Session, name: str) -> Model:
    """Read a named model with its newest version. Raises ModelNotFound."""
    row = session.execute(_latest().where(ModelNameRow.name == name)).one_or_none()
    if row is None:
        raise not_found(session, name)
    return _to_models(session, [row])[0]


def list_models(
    session: Session,
    *,
    limit: int = 20,
    after: str | None = None,
    task: str | None = None,
    tag: str | None = None,
) -> ModelList:
    """List named models, newest first; the cursor is a name. Raises UnknownCursor."""
    size = max(1, min(limit, paging.MAX_LIMIT))
    statement = _latest()
    if task is not None:
        statement = statement.where(ModelVersionRow.task == task)
    if tag is not None:
        tagged = sa.select(ModelTagRow.name).where(ModelTagRow.tag == tag)
        statement = statement.where(ModelNameRow.name.in_(tagged))
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
    return ModelList(data=_to_models(session, rows[:size]), **paging.ends(names, size)._asdict())


def list_versions(
    session: Session, name: str, *, limit: int = 20, after: str | None = None
) -> ModelVersionList:
    """List the versions of a model, newest first. Raises ModelNotFound and UnknownCursor."""
    if session.get(ModelNameRow, name) is None:
        raise not_found(session, name)
    statement = sa.select(ModelVersionRow).where(ModelVersionRow.name == name)
    rows, ends = paging.page(
        session, statement, id_column=ModelVersionRow.id, limit=limit, after=after
    )
    aliases = _aliases(session, [name]).get(name, [])
    data = [_to_version(row, aliases) for row in rows]
    return ModelVersionList(data=data, **ends._asdict())


def _latest() -> Any:
    """Select every name together with its newest version."""
    of_name = sa.select(sa.func.max(ModelVersionRow.version)).where(
        ModelVersionRow.name == ModelNameRow.name
    )
    newest = ModelVersionRow.version == of_name.correlate(ModelNameRow).scalar_subquery()
    return sa.select(ModelNameRow, ModelVersionRow).join(
        ModelVersionRow, sa.and_(ModelVersionRow.name == ModelNameRow.name, newest)
    )


def find_version(session: Session, reference: str) -> ModelVersionRow | None:
    """Find what `name`, `name@3`, `name@alias` or `mdl_…` stands for."""
    statement = sa.select(ModelVersionRow)
    if reference.startswith("mdl_"):
        return session.scalars(statement.where(ModelVersionRow.id == reference)).one_or_none()
    name, at, selector = reference.partition("@")
    statement = statement.where(ModelVersionRow.name == name)
    if selector.isascii() and selector.isdigit():
        if int(selector) > LARGEST_VERSION:
            return None
        statement = statement.where(ModelVersionRow.version == int(selector))
    elif at and selector != "latest":
        meant = sa.select(ModelAliasRow.version_id).where(
            ModelAliasRow.name == name, ModelAliasRow.alias == selector
        )
        statement = statement.where(ModelVersionRow.id == meant.scalar_subquery())
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
        temperature=_temperature(row.evaluation),
        job=row.job_id,
    )


def _temperature(evaluation: Any) -> float | None:
    """Read the temperature of a stored evaluation, and no more of it: names are looked up often."""
    calibration = evaluation.get("calibration") if evaluation else None
    return Calibration.model_validate(calibration).temperature if calibration else None


def _servable_checkpoint(session: Session, checkpoint_id: str) -> Servable:
    row = session.get(CheckpointRow, checkpoint_id)
    job = session.get(JobRow, row.job_id) if row else None
    if row is None or job is None:
        raise not_found(session, checkpoint_id)
    return _of_checkpoint(session, row, JobSpec.model_validate(job.spec))


def _servable_job(session: Session, reference: str) -> Servable:
    job_id, at, selector = reference.partition("@")
    job = session.get(JobRow, job_id)
    if job is None or (at and selector not in {"best", "latest"}):
        raise not_found(session, reference)
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
        return _of_checkpoint(session, row, JobSpec.model_validate(job.spec))
    if job.status in {"queued", "running", "paused"}:
        raise ModelNotReady(job_id, job.status)
    raise ModelNeverTrained(job_id, job.status)


def _of_checkpoint(session: Session, row: CheckpointRow, spec: JobSpec) -> Servable:
    architecture, dataset = spec.trained_as(row.state_sha256)
    known: Iterable[Any] = session.scalars(evaluations_of(row))
    temperatures = (_temperature(evaluation) for evaluation in known if evaluation)
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
        temperature=next(temperatures, None),
        job=row.job_id,
    )


def evaluations_of(row: CheckpointRow) -> sa.Select[Any]:
    """Select what was measured of versions with a checkpoint's weights, the first ones first."""
    return (
        sa.select(ModelVersionRow.evaluation)
        .where(
            ModelVersionRow.weights_sha256 == row.weights_sha256,
            ModelVersionRow.preparation_sha256 == row.preparation_sha256,
        )
        .order_by(ModelVersionRow.id)
    )


def not_found(session: Session, reference: str) -> ModelNotFound:
    """Say that nothing is called so, or not any more, and what is nearest."""
    named = sa.select(ModelVersionRow.name).where(ModelVersionRow.name.is_not(None)).distinct()
    known = [name for name in session.scalars(named.limit(KNOWN_NAMES)) if name is not None]
    return ModelNotFound(reference, known, deleted=_deleted(session, reference))


def _deleted(session: Session, reference: str) -> str | None:
    """Tell what a name once stood for: its numbers are never given to another version."""
    name, at, selector = reference.partition("@")
    row = session.get(ModelNameRow, name)
    if row is None:
        return None
    if selector.isascii() and selector.isdigit():
        made = 1 <= int(selector) < row.next_version
        return f"Version {int(selector)} of {name!r}" if made else None
    if not at or selector == "latest":
        return f"The model {name!r}"
    return None


class _Alias(NamedTuple):
    alias: str
    version_id: str
    version: int


def _to_models(session: Session, rows: Sequence[Any]) -> list[Model]:
    """Read models of names with their newest versions, by three statements for all of them."""
    names = [row.ModelNameRow.name for row in rows]
    numbers = _by_name(
        session,
        sa.select(ModelVersionRow.name, ModelVersionRow.version)
        .where(ModelVersionRow.name.in_(names))
        .order_by(ModelVersionRow.version.desc()),
    )
    tags = _by_name(
        session,
        sa.select(ModelTagRow.name, ModelTagRow.tag)
        .where(ModelTagRow.name.in_(names))
        .order_by(ModelTagRow.tag),
    )
    aliases = _aliases(session, names)
    return [
        _to_model(
            row.ModelNameRow,
            _to_version(row.ModelVersionRow, aliases.get(name, [])),
            versions=numbers[name],
            tags=tags.get(name, []),
            aliases=aliases.get(name, []),
        )
        for row, name in zip(rows, names, strict=True)
    ]


def _by_name(session: Session, statement: sa.Select[Any, Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in session.execute(statement):
        name, value = row
        found.setdefault(name, []).append(value)
    return found


def _aliases(session: Session, names: Sequence[str]) -> dict[str, list[_Alias]]:
    statement = (
        sa.select(
            ModelAliasRow.name,
            ModelAliasRow.alias,
            ModelAliasRow.version_id,
            ModelVersionRow.version,
        )
        .join(ModelVersionRow, ModelVersionRow.id == ModelAliasRow.version_id)
        .where(ModelAliasRow.name.in_(names))
        .order_by(ModelAliasRow.alias)
    )
    found: dict[str, list[_Alias]] = {}
    for name, alias, version_id, version in session.execute(statement):
        if version is not None:  # versions with a name have a number
            found.setdefault(name, []).append(_Alias(alias, version_id, version))
    return found


def _to_model(
    name: ModelNameRow,
    latest: ModelVersion,
    *,
    versions: list[int],
    tags: list[str],
    aliases: Sequence[_Alias],
) -> Model:
    return Model(
        name=name.name,
        task=latest.task,
        latest=latest,
        versions=versions,
        aliases={each.alias: each.version for each in aliases},
        description=name.description,
        tags=tags,
        created_at=name.created_at,
    )


def _to_version(row: ModelVersionRow, aliases: Sequence[_Alias]) -> ModelVersion:
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
        aliases=[each.alias for each in aliases if each.version_id == row.id],
        origin=Origin.model_validate(row.origin) if row.origin else None,
        created_at=row.created_at,
    )
