"""Bytes, known by their SHA-256: written and read as a stream of chunks, kept while referred to.

Bytes come first, the reference last. Chunks go in under an upload, transaction by transaction; the
blob then names the upload. A *hold* keeps a blob whose reference is still on its way: `put` takes
one, the transaction that stores the reference gives it back with `unhold`, and it expires after an
hour. What neither a reference nor a hold keeps is deleted; should the two ever cross, the foreign
key of the reference wins.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from typing import BinaryIO

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.domain.ports import Content
from service.store import uploads
from service.store.engine import LOG_BYTES, MEBIBYTE, Database, database_now, moment, upsert
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
from service.store.uploads import HOLD, SLICE_BYTES

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
    with database.begin() as session:  # first hold it, then look: in this order it cannot vanish
        known = _hold(session, sha256, size)
    if known is not None:
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
            uploads.expire(session, [upload_id])
            uploads.delete_small(session, [upload_id], size)
    return sha256, size


def hold(database: Database, sha256: str, size: int) -> None:
    """Hold bytes that somebody else refers to, until `unhold`. Raises BlobGone if they are gone."""
    with database.begin() as session:
        known = _hold(session, sha256, size)
    if known is None:
        raise BlobGone(sha256)


def sha256_of(content: bytes) -> str:
    """Return what the bytes are known by."""
    return hashlib.sha256(content).hexdigest()


def write(database: Database, content: Content) -> tuple[str, int]:
    """Store bytes that are probably new; return SHA-256 and size. They are held.

    They are read once, and hashed while they are written. None of it waits for the disk: the
    transaction that stores the reference does.
    """
    upload_id = new_id("upl")
    try:
        with ThreadPoolExecutor(2) as beside:
            return _write(database, content, upload_id, beside)
    except StorageFull:
        give_up(database, [], upload_id)
        raise


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
                uploads.expire(session, [upload_id])
            unhold(session, given_up)
            release(session, given_up)
        sweep(database)


def sweep(database: Database) -> int:
    """Delete the chunks of uploads that expired, slice by slice; return how many uploads went."""
    swept = 0
    while True:
        with database.begin(relaxed=True) as session:
            upload_id = uploads.next_garbage(session)
            if upload_id is None:
                return swept
            if not uploads.delete_slice(session, upload_id, SLICE_BYTES // database.chunk_bytes):
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
    with database.read() as session:
        training = session.scalars(sa.select(JobRow.id).where(JobRow.status == "running").limit(1))
        trains = training.first() is not None
    # Freeing moves what lies behind; the next checkpoint would make the file grow again.
    database.free_pages(beyond=0.5 if trains else 0.0)
    return collected


def _measure(content: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while piece := content.read(MEBIBYTE):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


def _hold(session: Session, sha256: str, size: int, upload_id: str | None = None) -> str | None:
    """Hold a blob, and complete it with an upload if it is not; return the one that it names."""
    now = database_now(session)
    row = {"sha256": sha256, "size": size, "holds": 1, "held_until": now + HOLD}
    again = sa.case((BlobRow.held_until < moment(now), 1), else_=BlobRow.holds + 1)
    statement = upsert(session, BlobRow).values({**row, "upload_id": upload_id})
    named = sa.func.coalesce(BlobRow.upload_id, statement.excluded.upload_id)
    held = session.execute(
        statement.on_conflict_do_update(
            index_elements=["sha256"],
            set_={
                "holds": again,
                "held_until": statement.excluded.held_until,
                "upload_id": named,
            },
        ).returning(BlobRow.upload_id)
    )
    return held.scalar_one()


def _write(
    database: Database, content: Content, upload_id: str, beside: ThreadPoolExecutor
) -> tuple[str, int]:
    """Write slices, the first with the upload's row, and hold the blob with the last.

    Beside it the hash is computed and SQLite's log copied, which would grow beyond all bounds.
    """
    digest, size, position, in_log = hashlib.sha256(), 0, 0, 0
    copying: Future[None] = beside.submit(database.copy_log)
    slices = uploads.slices(uploads.chunks(content.pieces(), database.chunk_bytes))

    def update(chunks: Sequence[memoryview]) -> None:
        for chunk in chunks:
            digest.update(chunk)

    empty: list[memoryview] = []
    chunks = next(slices, empty)
    while True:
        following = next(slices, None)
        hashing = beside.submit(update, chunks)
        with database.begin(relaxed=True) as session:
            if position == 0:
                expires_at = database_now(session) + HOLD
                session.execute(sa.insert(UploadRow).values(id=upload_id, expires_at=expires_at))
            size += uploads.add_chunks(database, session, upload_id, position, chunks)
            hashing.result()
            if following is None:
                sha256 = digest.hexdigest()
                if _hold(session, sha256, size, upload_id) != upload_id:  # it is there already
                    uploads.expire(session, [upload_id])
                    uploads.delete_small(session, [upload_id], size)
                return sha256, size
        position, in_log = position + len(chunks), in_log + SLICE_BYTES
        if in_log >= LOG_BYTES // 2:  # on a full disk it could not be copied any more
            copying.result()
            database.copy_log()
            in_log = 0
        elif copying.done():
            copying.result()
            copying = beside.submit(database.copy_log)
        chunks = following


def _upload(database: Database, content: BinaryIO, upload_id: str) -> None:
    """Write all chunks under a new upload, about SLICE_BYTES in a transaction."""
    position = 0
    with database.begin() as session:
        expires_at = database_now(session) + HOLD
        session.execute(sa.insert(UploadRow).values(id=upload_id, expires_at=expires_at))
    while part := content.read(SLICE_BYTES):
        chunks = list(uploads.chunks([memoryview(part)], database.chunk_bytes))
        with database.begin() as session:
            uploads.add_chunks(database, session, upload_id, position, chunks)
        position += len(chunks)


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
    unnamed = [row.upload_id for row in gone if row.upload_id is not None]
    uploads.expire(session, unnamed)
    uploads.delete_small(session, unnamed, sum(row.size for row in gone))
    return len(gone)
