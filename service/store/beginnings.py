"""The first checkpoints of jobs that begin at a checkpoint or a model, and where they come from.

A job refers to the bytes that it begins with by rows of its own, from the moment it is accepted:
what they were copied from may be deleted at once.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.domain.beginnings import KeptCheckpoint
from service.domain.forks import ForkSource
from service.domain.jobs import ENDED, CheckpointKind
from service.domain.problems import invalid_field
from service.store import blobs
from service.store.errors import CheckpointNotFound, ModelNeverTrained, ModelNotReady
from service.store.ids import new_id
from service.store.job_reads import get_job
from service.store.tables import CheckpointRow


class FirstCheckpoint(NamedTuple):
    """A checkpoint that a job begins with; `step` and `epoch` are where the job begins.

    Bytes that are `held` are given back once the job refers to them.
    """

    kind: CheckpointKind
    copied: KeptCheckpoint
    step: int
    epoch: int
    held: bool = False


def get_fork_source(session: Session, job_id: str, checkpoint_id: str | None) -> ForkSource:
    """Find a job's checkpoint, by default the one that came furthest.

    Raises JobNotFound, CheckpointNotFound, Invalid for one of another job, and ModelNotReady or
    ModelNeverTrained where the job has none.
    """
    job = get_job(session, job_id)
    of_job = sa.select(CheckpointRow).where(CheckpointRow.job_id == job_id)
    if checkpoint_id is not None:
        row = session.get(CheckpointRow, checkpoint_id)
        if row is None:
            raise CheckpointNotFound
        if row.job_id != job_id:
            detail = "is a checkpoint of another job; fork that one, or choose one of this job"
            raise invalid_field("/checkpoint", detail)
    else:
        furthest = of_job.order_by(CheckpointRow.step.desc(), CheckpointRow.id.desc())
        row = session.scalars(furthest.limit(1)).first()
        if row is None:
            missing = ModelNeverTrained if job.status in ENDED else ModelNotReady
            raise missing(job_id, job.status)
    bests = session.scalars(
        of_job.where(CheckpointRow.kind == "best").order_by(CheckpointRow.step.desc())
    ).all()
    best = next((each for each in bests if each.step <= row.step), None)
    return ForkSource(
        job=job,
        checkpoint=kept(row),
        best=None if best is None else kept(best),
        best_is_gone=best is None and bool(bests),
    )


def begin_with(
    session: Session, job_id: str, first: Sequence[FirstCheckpoint], *, now: datetime
) -> None:
    """Give a new job its first checkpoints. Raises CheckpointNotFound when their bytes went."""
    rows = [
        CheckpointRow(
            id=new_id("ckpt"),
            job_id=job_id,
            kind=each.kind,
            step=each.step,
            epoch=each.epoch,
            metrics=dict(each.copied.metrics),
            bytes=each.copied.bytes,
            weights_sha256=each.copied.weights_sha256,
            weights_bytes=each.copied.weights_bytes,
            state_sha256=each.copied.state_sha256,
            state_blob_sha256=each.copied.state_blob_sha256,
            preparation_sha256=each.copied.preparation_sha256,
            created_at=now,
        )
        for each in first
    ]
    try:
        with session.begin_nested():
            session.add_all(rows)
    except IntegrityError as error:  # the foreign keys: whoever deletes bytes holds their rows
        raise CheckpointNotFound from error
    held = [each.copied for each in first if each.held]
    blobs.unhold(
        session,
        [
            sha256
            for copied in held
            for sha256 in (
                copied.weights_sha256,
                copied.state_blob_sha256,
                copied.preparation_sha256,
            )
        ],
    )


def kept(row: CheckpointRow) -> KeptCheckpoint:
    """Read what a row refers to."""
    return KeptCheckpoint(
        id=row.id,
        step=row.step,
        epoch=row.epoch,
        metrics=row.metrics,
        bytes=row.bytes,
        weights_sha256=row.weights_sha256,
        weights_bytes=row.weights_bytes,
        state_sha256=row.state_sha256,
        state_blob_sha256=row.state_blob_sha256,
        preparation_sha256=row.preparation_sha256,
    )
