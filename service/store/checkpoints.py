"""Checkpoints: rows that refer to stored bytes, kept as the job asked, under its lease."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.environments import needs
from service.domain.jobs import Checkpoint, CheckpointKind, CheckpointList, JobSpec, RunInfo
from service.store import blobs, events, paging
from service.store.errors import JobNotFound
from service.store.leases import change_held, held_job
from service.store.needs import require
from service.store.tables import CheckpointRow, JobRow


class StoredState(NamedTuple):
    """A training state whose bytes are already blobs, held for this reference.

    Each kind brings the id of its row, so that it is stored once, however often it is tried.
    """

    ids: Mapping[CheckpointKind, str]
    step: int
    epoch: int
    metrics: Mapping[str, float]
    weights_sha256: str
    weights_bytes: int
    state_blob_sha256: str
    state_bytes: int
    scheduled: bool = True


class ResumePoint(NamedTuple):
    """Where a job goes on."""

    checkpoint: str
    step: int
    epoch: int
    weights_sha256: str
    state_blob_sha256: str
    state_sha256: str
    preparation_sha256: str


def add(session: Session, lease: str, state: StoredState, *, now: datetime) -> list[Checkpoint]:
    """Store one checkpoint per kind, drop what is beyond the asked number, note an event.

    What an earlier try has stored, although its answer was lost, stays as it is. The job was alive
    to write it: deaths and reclaims count from zero again. A job that must go on exactly waits from
    now on for a worker like this one. Raises LeaseLost.
    """
    job = held_job(session, lease)
    if job.preparation_sha256 is None:
        message = f"{job.id} stores a checkpoint before it has started"
        raise ValueError(message)
    spec = JobSpec.model_validate(job.spec)
    keep = _kept(spec)
    if spec.training.exact == "required":
        require(session, job.id, needs(RunInfo.model_validate(job.run).environment))
    before = set(session.scalars(sa.select(CheckpointRow.id).where(_one_of(state.ids.values()))))
    new: list[CheckpointKind] = [kind for kind, id_ in state.ids.items() if id_ not in before]
    kinds: list[CheckpointKind] = [kind for kind in new if keep[kind] > 0]
    rows = [_new_row(job.id, job.preparation_sha256, kind, state, now) for kind in kinds]
    session.add_all(rows)
    session.flush()
    blobs.unhold(session, [state.weights_sha256, state.state_blob_sha256])
    change_held(session, lease, {JobRow.deaths: 0, JobRow.reclaims: 0, JobRow.updated_at: now})
    freed = [sha for kind in kinds for sha in _drop_beyond(session, job.id, kind, keep[kind])]
    blobs.release(session, [*freed, state.weights_sha256, state.state_blob_sha256])
    checkpoints = [_to_checkpoint(row) for row in rows]
    for checkpoint in checkpoints:
        data = checkpoint.model_dump(
            mode="json",
            include={"kind", "step", "epoch", "weights_sha256", "state_sha256"},
        )
        data |= {"checkpoint": checkpoint.id, "scheduled": state.scheduled}
        events.append(session, job.id, "checkpoint", data=data, now=now)
    return checkpoints


def list_checkpoints(
    session: Session, job_id: str, *, limit: int = 20, after: str | None = None
) -> CheckpointList:
    """List the kept checkpoints, newest first. Raises JobNotFound and UnknownCursor."""
    if session.get(JobRow, job_id) is None:
        raise JobNotFound
    statement = sa.select(CheckpointRow).where(CheckpointRow.job_id == job_id)
    rows, ends = paging.page(
        session, statement, id_column=CheckpointRow.id, limit=limit, after=after
    )
    return CheckpointList(data=[_to_checkpoint(row) for row in rows], **ends._asdict())


def newest_for_resume(session: Session, job_id: str) -> ResumePoint | None:
    """Find the checkpoint that came furthest: there a new attempt goes on."""
    row = session.scalars(
        sa.select(CheckpointRow)
        .where(CheckpointRow.job_id == job_id)
        .order_by(CheckpointRow.step.desc(), CheckpointRow.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    return ResumePoint(
        row.id,
        row.step,
        row.epoch,
        row.weights_sha256,
        row.state_blob_sha256,
        row.state_sha256,
        row.preparation_sha256,
    )


def state_sha256(weights_sha256: str, state_blob_sha256: str) -> str:
    """Hash the whole training state: the two hashes in hex, one after the other."""
    return hashlib.sha256(f"{weights_sha256}{state_blob_sha256}".encode()).hexdigest()


def _one_of(ids: Iterable[str]) -> sa.ColumnElement[bool]:
    return CheckpointRow.id.in_(list(ids))


def _kept(spec: JobSpec) -> dict[CheckpointKind, int]:
    policy = spec.training.checkpoint
    return {
        "best": policy.keep_best,
        "latest": policy.keep_latest,
        "periodic": policy.keep_periodic,
        "pause": 1,
    }


def _new_row(
    job_id: str, preparation_sha256: str, kind: CheckpointKind, state: StoredState, now: datetime
) -> CheckpointRow:
    return CheckpointRow(
        id=state.ids[kind],
        job_id=job_id,
        kind=kind,
        step=state.step,
        epoch=state.epoch,
        metrics={name: v if math.isfinite(v) else None for name, v in state.metrics.items()},
        bytes=state.weights_bytes + state.state_bytes,
        weights_sha256=state.weights_sha256,
        weights_bytes=state.weights_bytes,
        state_sha256=state_sha256(state.weights_sha256, state.state_blob_sha256),
        state_blob_sha256=state.state_blob_sha256,
        preparation_sha256=preparation_sha256,
        created_at=now,
    )


def _drop_beyond(session: Session, job_id: str, kind: CheckpointKind, keep: int) -> list[str]:
    """Delete all but the newest of a kind; return the bytes they referred to."""
    of_kind = (CheckpointRow.job_id == job_id, CheckpointRow.kind == kind)
    newest = (
        sa.select(CheckpointRow.id)
        .where(*of_kind)
        .order_by(CheckpointRow.step.desc(), CheckpointRow.id.desc())
        .limit(keep)
    )
    dropped = session.execute(
        sa.delete(CheckpointRow)
        .where(*of_kind, CheckpointRow.id.not_in(newest))
        .returning(
            CheckpointRow.weights_sha256,
            CheckpointRow.state_blob_sha256,
            CheckpointRow.preparation_sha256,
        )
        .execution_options(synchronize_session=False)
    )
    return [sha for row in dropped for sha in row]


def _to_checkpoint(row: CheckpointRow) -> Checkpoint:
    return Checkpoint(
        id=row.id,
        job=row.job_id,
        kind=cast("CheckpointKind", row.kind),
        step=row.step,
        epoch=row.epoch,
        metrics=row.metrics,
        bytes=row.bytes,
        weights_sha256=row.weights_sha256,
        state_sha256=row.state_sha256,
        created_at=row.created_at,
    )
