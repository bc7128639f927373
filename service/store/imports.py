"""Models that were trained elsewhere: versions without a job and a checkpoint."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.bundles import BundleConfig
from service.domain.components import Component
from service.domain.evaluations import Evaluation
from service.domain.models import ModelVersion
from service.store import blobs
from service.store.ids import new_id
from service.store.models import get_version
from service.store.tables import ModelVersionRow
from service.store.versions import check_task, next_version


class _IsThere(Exception):  # noqa: N818  it leads out of the savepoint
    """The name has such a version; its number must not be taken."""

    def __init__(self, version_id: str) -> None:
        super().__init__()
        self.version_id = version_id


def add_import(
    session: Session, name: str, config: BundleConfig, *, weights_bytes: int, now: datetime
) -> tuple[ModelVersion, bool]:
    """Store a version whose bytes are blobs already, held for it. Return it and whether it is new.

    The same model under the same name is the version that exists. Raises ModelTaskDiffers.
    """
    try:
        with session.begin_nested():
            version = next_version(session, name, now)  # locks the name: then look
            made, is_new = _add(session, name, version, config, weights_bytes, now), True
    except _IsThere as there:
        made, is_new = there.version_id, False
    blobs.unhold(session, [config.weights_sha256, config.preparation_sha256])
    session.expire_all()
    return get_version(session, made), is_new


def _add(
    session: Session,
    name: str,
    version: int,
    config: BundleConfig,
    weights_bytes: int,
    now: datetime,
) -> str:
    same = _find_same(session, name, config)
    if same is not None:
        raise _IsThere(same)
    check_task(session, name, config.task)
    version_id = new_id("mdl")
    session.add(
        ModelVersionRow(
            id=version_id,
            name=name,
            version=version,
            job_id=None,
            checkpoint_id=None,
            task=config.task,
            architecture=config.architecture.model_dump(mode="json"),
            dataset_name=config.dataset,
            metrics=config.metrics,
            baseline=config.baseline.model_dump(mode="json") if config.baseline else sa.JSON.NULL,
            evaluation=config.evaluation.model_dump(mode="json") if config.evaluation else None,
            parameters=config.parameters,
            weights_sha256=config.weights_sha256,
            weights_bytes=weights_bytes,
            preparation_sha256=config.preparation_sha256,
            origin=config.origin.model_dump(mode="json"),
            created_at=now,
        )
    )
    session.flush()
    return version_id


def _find_same(session: Session, name: str, config: BundleConfig) -> str | None:
    """Find a version that answers the same: also one that was trained here."""
    rows = sa.select(ModelVersionRow).where(
        ModelVersionRow.name == name,
        ModelVersionRow.task == config.task,
        ModelVersionRow.weights_sha256 == config.weights_sha256,
        ModelVersionRow.preparation_sha256 == config.preparation_sha256,
    )
    for row in session.scalars(rows.order_by(ModelVersionRow.version)):
        known = Evaluation.model_validate(row.evaluation) if row.evaluation else None
        is_built_so = Component.model_validate(row.architecture) == config.architecture
        if known == config.evaluation and is_built_so:
            return row.id
    return None
