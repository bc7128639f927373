"""Workers: who is there to run jobs. Leases do not depend on it; people and `/readyz` look."""

from datetime import datetime
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.workers import NewWorker, Worker, WorkerStatus
from service.store.tables import WorkerRow


def register_worker(session: Session, new: NewWorker, *, now: datetime) -> None:
    """Say that a worker began."""
    values = new.model_dump(mode="json")
    session.add(WorkerRow(**values, status="running", started_at=now, heartbeat_at=now))
    session.flush()


def beat_worker(
    session: Session, worker_id: str, *, now: datetime, status: WorkerStatus = "running"
) -> bool:
    """Say that it lives; False when it is not registered (any more)."""
    beat = (
        sa.update(WorkerRow)
        .where(WorkerRow.id == worker_id)
        .values(heartbeat_at=now, status=status)
        .returning(WorkerRow.id)
        .execution_options(synchronize_session=False)
    )
    return session.scalars(beat).first() is not None


def remove_worker(session: Session, worker_id: str) -> None:
    """Say that it ended."""
    session.execute(sa.delete(WorkerRow).where(WorkerRow.id == worker_id))


def remove_stale_workers(session: Session, *, before: datetime) -> int:
    """Forget the workers that were last heard of before a moment; return how many."""
    stale = sa.delete(WorkerRow).where(WorkerRow.heartbeat_at < before).returning(WorkerRow.id)
    return len(session.scalars(stale.execution_options(synchronize_session=False)).all())


def list_workers(session: Session) -> list[Worker]:
    """List all registered workers, oldest first."""
    return [
        Worker(
            id=row.id,
            host=row.host,
            pid=row.pid,
            devices=row.devices,
            components=row.components,
            threads=row.threads,
            places=row.places,
            status=cast("WorkerStatus", row.status),
            started_at=row.started_at,
            heartbeat_at=row.heartbeat_at,
        )
        for row in session.scalars(sa.select(WorkerRow).order_by(WorkerRow.id))
    ]
