"""Answers that are kept under the key of their request, to be given again for 24 hours.

A key is reserved at the beginning of the transaction that creates something, and gets its answer at
the end of the same one: there are both, or neither. Whoever brings the key meanwhile waits for that
transaction, and then sees the answer, or has the key. No lock outlives a transaction: none expires.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.store.engine import Database, database_now, moment, upsert
from service.store.tables import IdempotencyKeyRow

KEPT_FOR = timedelta(hours=24)
SLICE = 500
"""So many rows are deleted in one transaction."""


class Answer(NamedTuple):
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Kept(NamedTuple):
    """An answer, and the fingerprint of the request that it was given to."""

    fingerprint: str
    answer: Answer


def find(session: Session, key_id: str, *, now: datetime) -> Kept | None:
    """Find what is kept under a key."""
    live = IdempotencyKeyRow.expires_at > moment(now)
    row = session.scalars(
        sa.select(IdempotencyKeyRow).where(IdempotencyKeyRow.id == key_id, live)
    ).one_or_none()
    return _to_kept(row) if row else None


def reserve(session: Session, key_id: str, fingerprint: str, *, now: datetime) -> Kept | None:
    """Take a key for the answer of this transaction; or return what was kept before it could.

    On PostgreSQL this waits for another transaction that has taken the key. SQLite has one writer.
    """
    values = {
        "fingerprint": fingerprint,
        "status": None,
        "headers": None,
        "body": None,
        "created_at": now,
        "expires_at": now + KEPT_FOR,
    }
    statement = upsert(session, IdempotencyKeyRow).values(id=key_id, **values)
    expired = IdempotencyKeyRow.expires_at <= moment(now)
    taken = session.scalars(
        statement.on_conflict_do_update(
            index_elements=["id"], set_=values, where=expired
        ).returning(IdempotencyKeyRow.id)
    ).first()
    if taken is not None:
        return None
    return _to_kept(session.get_one(IdempotencyKeyRow, key_id))


def keep(session: Session, key_id: str, answer: Answer) -> None:
    """Give a key that this transaction has reserved its answer."""
    mine = sa.update(IdempotencyKeyRow).where(IdempotencyKeyRow.id == key_id)
    session.execute(mine.values(**answer._asdict()).execution_options(synchronize_session=False))


def remove_expired(database: Database) -> int:
    """Delete what is no longer kept, slice by slice; return how much it was."""
    removed = 0
    while True:
        with database.begin() as session:
            gone = _remove_slice(session, now=database_now(session))
        removed += gone
        if gone < SLICE:
            return removed


def _remove_slice(session: Session, *, now: datetime) -> int:
    expired = (
        sa.select(IdempotencyKeyRow.id)
        .where(IdempotencyKeyRow.expires_at <= moment(now))
        .order_by(IdempotencyKeyRow.expires_at)
        .limit(SLICE)
        .with_for_update(skip_locked=True)  # whoever works on it decides about it
    )
    gone = session.scalars(
        sa.delete(IdempotencyKeyRow)
        .where(IdempotencyKeyRow.id.in_(expired))
        .returning(IdempotencyKeyRow.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


def _to_kept(row: IdempotencyKeyRow) -> Kept:
    # Only the transaction that reserved it sees a row without an answer.
    return Kept(row.fingerprint, Answer(row.status or 0, row.headers or {}, row.body or b""))
