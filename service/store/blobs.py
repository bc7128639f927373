"""Bytes, known by their SHA-256: written and read as a stream of chunks, kept while referred to.

Bytes come first, the reference last. Chunks go in under an upload, transaction by transaction; the
blob then names the upload. A *hold* keeps a blob whose reference is still on its way: `put` takes
one, the transaction that stores the reference gives it back with `unhold`, and it expires after an
hour. What neither a reference nor a hold keeps is deleted; should the two ever cross, the foreign
key of the reference wins.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from typing import BinaryIO

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.store.engine import MEBIBYTE, Database, database_now, moment, upsert
from service.store.errors import DATABASE_TROUBLE, BlobGone, StorageFull
from service.store.ids import new_id
from service.store.tables import (
    BlobChunkRow,
    BlobRow,
    CheckpointRow,
    DatasetFileRow,
    JobRow,
    ModelVersionRow,
    UploadRow,
)

HOLD = timedelta(hours=1)
SLICE_BYTES = 8 * MEBIBYTE
"""About so much is written, read or deleted in one transaction."""

REFERENCES = (
    DatasetFileRow.sha256,
    CheckpointRow.weights_sha256,
    CheckpointRow.state_blob_sha256,
    CheckpointRow.preparation_sha256,
    JobRow.preparation_sha256,
    ModelVersionRow.weights_sha256,
    ModelVersionRow.preparation_sha256,
)
"""Every column that keeps a blob. A test finds foreign keys that are missing here."""


class DatabaseBlobs:
    """The blobs of a database, as rooms without a database are handed them (`domain.ports`)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put: list[str] = []

    def put(self, content: BinaryIO) -> tuple[str, int]:
        """Store a stream; return its SHA-256 in hex and its size.

        When the storage is full, what came before it through here goes, too: it belongs together.
        """
        try:
            sha256, size = put(self._database, content)
        except StorageFull:
            give_up(self._database, self._put)
            raise
        self._put.append(sha256)
        return sha256, size

    def read(self, sha256: str) -> bytes:
        """Return all bytes of a blob. Raises BlobGone when there is none."""
        return read(self._database, sha256)


def put(database: Database, content: BinaryIO | bytes) -> tuple[str, int]:
    """Store bytes once, however often they come; return SHA-256 and size. They are held.

    The stream is read twice and must be seekable: only who knows the hash can find bytes that are
    already there.
    """
    stream = BytesIO(content) if isinstance(content, bytes) else content
    start = stream.tell()
    sha256, size = _measure(stream)
    if _hold(database, sha256, size):
        return sha256, size
    stream.seek(start)
    upload_id = new_id("upl")
    try:
        _upload(database, stream, upload_id)
    except StorageFull:  # what is there of it would fill the disk for as long as it is held
        give_up(database, [sha256], upload_id)
        raise
    with database.begin() as session:
        finish = sa.update(BlobRow).where(BlobRow.sha256 == sha256, BlobRow.upload_id.is_(None))
        finished = finish.values(upload_id=upload_id).returning(BlobRow.sha256)
        if session.scalars(finished).first() is None:  # somebody else was quicker
            _expire(session, [upload_id])
            _delete_small(session, [upload_id], size)
    return sha256, size


def hold(database: Database, sha256: str, size: int) -> None:
    """Hold bytes that somebody else refers to, until `unhold`. Raises BlobGone if they are gone."""
    if not _hold(database, sha256, size):
        raise BlobGone(sha256)


def sha256_of(content: bytes) -> str:
    """Return what the bytes are known by."""
    return hashlib.sha256(content).hexdigest()


def stream(database: Database, sha256: str) -> Iterator[bytes]:
    """Read a blob chunk by chunk. Raises BlobGone when there is none (any more).

    No transaction stays open between chunks: who reads slowly holds up nobody.
    """
    with database.read() as session:
        known = sa.select(BlobRow.upload_id).where(BlobRow.sha256 == sha256)
        row = session.execute(known.add_columns(BlobRow.size)).one_or_none()
    if row is None or row.upload_id is None:
        raise BlobGone(sha256)
    chunks = SLICE_BYTES // database.chunk_bytes
    position, rest = 0, row.size
    while rest > 0:
        of_slice = (
            sa.select(BlobChunkRow.position, BlobChunkRow.data)
            .where(BlobChunkRow.upload_id == row.upload_id, BlobChunkRow.position >= position)
            .order_by(BlobChunkRow.position)
            .limit(chunks)
        )
        with database.read() as session:
            rows = session.execute(of_slice).all()
        # A blob that is being deleted loses its first chunks first.
        if not rows or [row.position for row in rows] != list(
            range(position, position + len(rows))
        ):
            raise BlobGone(sha256)
        for row_of_slice in rows:
            yield row_of_slice.data
            rest -= len(row_of_slice.data)
        position += len(rows)


def read(database: Database, sha256: str) -> bytes:
    """Return all bytes of a blob. Raises BlobGone when there is none."""
    return b"".join(stream(database, sha256))


def unhold(session: Session, shas: Iterable[str]) -> None:
    """Give back the holds of `put`, in the transaction that stores the references.

    A sha that was put twice is given twice.
    """
    ordered = sorted(shas)
    _lock(session, ordered)
    for sha256 in ordered:
        session.execute(
            sa.update(BlobRow)
            .where(BlobRow.sha256 == sha256, BlobRow.holds > 0)
            .values(holds=BlobRow.holds - 1)
            .execution_options(synchronize_session=False)
        )


def release(session: Session, shas: Iterable[str]) -> None:
    """Delete those blobs that nothing keeps. Large ones lose their chunks in the next `sweep`."""
    wanted = sorted(set(shas))
    if not wanted:
        return
    free = _unkept(session).where(BlobRow.sha256.in_(wanted))
    try:
        with session.begin_nested():
            _delete_blobs(session, free)
    except IntegrityError:
        return  # a reference came at this very moment; `collect` looks again


def give_up(database: Database, shas: Iterable[str], upload_id: str | None = None) -> None:
    """Forget bytes that were put and will not be referred to, at once if the database can."""
    given_up = list(shas)
    with suppress(*DATABASE_TROUBLE):  # else they are collected when their hold expires
        with database.begin() as session:
            if upload_id is not None:
                _expire(session, [upload_id])
            unhold(session, given_up)
            release(session, given_up)
        sweep(database)


def sweep(database: Database) -> int:
    """Delete the chunks of uploads that expired, slice by slice; return how many uploads went."""
    swept = 0
    while True:
        with database.begin() as session:
            upload_id = _next_garbage(session)
            if upload_id is None:
                return swept
            if not _delete_slice(session, upload_id, SLICE_BYTES // database.chunk_bytes):
                session.execute(sa.delete(UploadRow).where(UploadRow.id == upload_id))
                swept += 1


def collect(database: Database) -> int:
    """Delete everything that nothing keeps and give the space back; return how many blobs went."""
    collected = 0
    while True:
        with database.begin() as session:
            try:
                with session.begin_nested():
                    deleted = _delete_blobs(session, _unkept(session).limit(100))
            except IntegrityError:
                break  # a reference came at this very moment: the next collection looks again
        if deleted == 0:
            break
        collected += deleted
    sweep(database)
    database.free_pages()
    return collected


def _measure(content: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while piece := content.read(MEBIBYTE):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


def _hold(database: Database, sha256: str, size: int) -> bool:
    """Hold the blob, then tell whether its bytes are there: in this order it cannot vanish."""
    with database.begin() as session:
        now = database_now(session)
        row = {"sha256": sha256, "size": size, "holds": 1, "held_until": now + HOLD}
        again = sa.case((BlobRow.held_until < moment(now), 1), else_=BlobRow.holds + 1)
        statement = upsert(session, BlobRow).values(row)
        held = session.execute(
            statement.on_conflict_do_update(
                index_elements=["sha256"],
                set_={"holds": again, "held_until": statement.excluded.held_until},
            ).returning(BlobRow.upload_id)
        )
        return held.scalar_one() is not None


def _upload(database: Database, content: BinaryIO, upload_id: str) -> None:
    """Write all chunks under a new upload, about SLICE_BYTES in a transaction."""
    position = 0
    with database.begin() as session:
        expires_at = database_now(session) + HOLD
        session.execute(sa.insert(UploadRow).values(id=upload_id, expires_at=expires_at))
    while part := content.read(SLICE_BYTES):
        size = database.chunk_bytes
        pieces = [part[start : start + size] for start in range(0, len(part), size)]
        rows = [
            {"upload_id": upload_id, "position": position + index, "data": piece}
            for index, piece in enumerate(pieces)
        ]
        with database.begin() as session:
            database.check_room(session, len(part))
            session.execute(sa.insert(BlobChunkRow), rows)
        position += len(rows)


def _lock(session: Session, ordered: list[str]) -> None:
    """Lock rows in one order for all, or two transactions wait for each other for ever.

    FOR NO KEY UPDATE goes together with what foreign keys lock.
    """
    lock = sa.select(BlobRow.sha256).where(BlobRow.sha256.in_(ordered)).order_by(BlobRow.sha256)
    session.execute(lock.with_for_update(key_share=True)).all()


def _unkept(session: Session) -> sa.Select[str]:
    """Select, and lock, the blobs that neither a hold nor a reference keeps."""
    unheld = sa.or_(BlobRow.holds == 0, BlobRow.held_until < moment(database_now(session)))
    referred = [sa.select(column).where(column == BlobRow.sha256).exists() for column in REFERENCES]
    return (
        sa.select(BlobRow.sha256)
        .where(unheld, sa.not_(sa.or_(*referred)))
        .order_by(BlobRow.sha256)
        .with_for_update(skip_locked=True, of=BlobRow)  # whoever works on it decides about it
    )


def _delete_blobs(session: Session, which: sa.Select[str]) -> int:
    gone = session.execute(
        sa.delete(BlobRow)
        .where(BlobRow.sha256.in_(which))
        .returning(BlobRow.upload_id, BlobRow.size)
        .execution_options(synchronize_session=False)
    ).all()
    uploads = [row.upload_id for row in gone if row.upload_id is not None]
    _expire(session, uploads)
    _delete_small(session, uploads, sum(row.size for row in gone))
    return len(gone)


def _expire(session: Session, upload_ids: list[str]) -> None:
    """Say that nobody will name these uploads any more."""
    session.execute(
        sa.update(UploadRow)
        .where(UploadRow.id.in_(upload_ids))
        .values(expires_at=database_now(session))
        .execution_options(synchronize_session=False)
    )


def _delete_small(session: Session, upload_ids: list[str], size: int) -> None:
    """Delete at once what fits in one transaction."""
    if size > SLICE_BYTES:
        return
    for table, column in ((BlobChunkRow, BlobChunkRow.upload_id), (UploadRow, UploadRow.id)):
        session.execute(
            sa.delete(table)
            .where(column.in_(upload_ids))
            .execution_options(synchronize_session=False)
        )


def _next_garbage(session: Session) -> str | None:
    named = sa.select(BlobRow.sha256).where(BlobRow.upload_id == UploadRow.id).exists()
    expired = sa.select(UploadRow.id).where(UploadRow.expires_at <= moment(database_now(session)))
    return session.scalars(
        expired.where(sa.not_(named)).limit(1).with_for_update(skip_locked=True)
    ).first()


def _delete_slice(session: Session, upload_id: str, chunks: int) -> bool:
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
