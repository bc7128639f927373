"""Blobs that are expected: known by hash and size before anybody has their bytes.

Such a blob names no upload yet. References keep it like any other; `blobs.put` completes it.
"""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.store.engine import database_now, upsert
from service.store.tables import BlobRow


def expect(session: Session, sizes: Mapping[str, int]) -> None:
    """Make blobs, by SHA-256 and size, that the same transaction can refer to.

    Those that exist are left as they are, but stay locked: nobody deletes them before it commits.
    """
    now = database_now(session)
    for sha256 in sorted(sizes):  # in one order for all, or two transactions wait for each other
        row = {"sha256": sha256, "size": sizes[sha256], "holds": 0, "held_until": now}
        statement = upsert(session, BlobRow).values(row)
        untouched = {"holds": BlobRow.holds}
        session.execute(statement.on_conflict_do_update(index_elements=["sha256"], set_=untouched))


def missing(session: Session, shas: Iterable[str]) -> set[str]:
    """Tell which of these blobs have no bytes yet."""
    known = sa.select(BlobRow.sha256).where(BlobRow.sha256.in_(list(shas)))
    return set(session.scalars(known.where(BlobRow.upload_id.is_(None))))
