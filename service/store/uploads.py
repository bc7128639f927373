"""Uploads: chunks that were written together, before a blob names them and after none does.

They go in and out slice by slice, so that no transaction is long.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.store.engine import MEBIBYTE, Database, database_now, moment
from service.store.tables import BlobChunkRow, BlobRow, UploadRow

HOLD = timedelta(hours=1)
SLICE_BYTES = 8 * MEBIBYTE
"""About so much is written, read or deleted in one transaction."""


def chunks(pieces: Iterable[memoryview], size: int) -> Iterator[memoryview]:
    """Cut pieces to one size; only where two meet in a chunk are they copied."""
    rest = bytearray()
    for piece in pieces:
        taken = min(len(piece), size - len(rest)) if rest else 0
        rest += piece[:taken]
        if len(rest) == size:
            yield memoryview(rest)
            rest = bytearray()
        end = taken + (len(piece) - taken) // size * size
        for start in range(taken, end, size):
            yield piece[start : start + size]
        rest += piece[end:]
    if rest:
        yield memoryview(rest)


def slices(chunks: Iterator[memoryview]) -> Iterator[list[memoryview]]:
    """Gather chunks to about SLICE_BYTES."""
    gathered: list[memoryview] = []
    size = 0
    for chunk in chunks:
        gathered.append(chunk)
        size += len(chunk)
        if size >= SLICE_BYTES:
            yield gathered
            gathered, size = [], 0
    if gathered:
        yield gathered


def add_chunks(
    database: Database,
    session: Session,
    upload_id: str,
    position: int,
    chunks: Sequence[memoryview],
) -> int:
    """Add chunks to an upload, in the session's transaction; return how many bytes they are."""
    size = sum(map(len, chunks))
    database.check_room(session, size)
    rows = [
        {"upload_id": upload_id, "position": position + index, "data": chunk}
        for index, chunk in enumerate(chunks)
    ]
    if rows:
        session.execute(sa.insert(BlobChunkRow), rows)
    return size


def expire(session: Session, upload_ids: list[str]) -> None:
    """Say that nobody will name these uploads any more."""
    session.execute(
        sa.update(UploadRow)
        .where(UploadRow.id.in_(upload_ids))
        .values(expires_at=database_now(session))
        .execution_options(synchronize_session=False)
    )


def delete_small(session: Session, upload_ids: list[str], size: int) -> None:
    """Delete at once what fits in one transaction."""
    if size > SLICE_BYTES:
        return
    for table, column in ((BlobChunkRow, BlobChunkRow.upload_id), (UploadRow, UploadRow.id)):
        session.execute(
            sa.delete(table)
            .where(column.in_(upload_ids))
            .execution_options(synchronize_session=False)
        )


def next_garbage(session: Session) -> str | None:
    """Find an upload that expired without a name, and lock it."""
    named = sa.select(BlobRow.sha256).where(BlobRow.upload_id == UploadRow.id).exists()
    expired = sa.select(UploadRow.id).where(UploadRow.expires_at <= moment(database_now(session)))
    return session.scalars(
        expired.where(sa.not_(named)).limit(1).with_for_update(skip_locked=True)
    ).first()


def delete_slice(session: Session, upload_id: str, chunks: int) -> bool:
    """Delete the upload's first chunks; tell whether there were any."""
    first = (
        sa.select(BlobChunkRow.position)
        .where(BlobChunkRow.upload_id == upload_id)
        .order_by(BlobChunkRow.position)
        .limit(chunks)
    )
    deleted = session.scalars(
        sa.delete(BlobChunkRow)
        .where(BlobChunkRow.upload_id == upload_id, BlobChunkRow.position.in_(first))
        .returning(BlobChunkRow.position)
        .execution_options(synchronize_session=False)
    )
    return bool(deleted.all())
