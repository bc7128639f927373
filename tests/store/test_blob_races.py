"""Bytes that are deleted while somebody reads them, and space that comes back."""

from itertools import islice

import pytest
import sqlalchemy as sa

from service.store import blobs, claims
from service.store.engine import Database, database_bytes
from service.store.errors import BlobGone
from service.store.tables import BlobChunkRow
from tests.builders import NOON, a_claim, a_draft, a_queued_job, a_recorder

MEBIBYTE = 1 << 20


def test_the_file_keeps_room_for_the_next_checkpoint_while_a_job_trains(
    sqlite_database: Database,
) -> None:
    database = sqlite_database

    def bytes_when_collected() -> int:
        blobs.collect(database)
        with database.read() as session:
            return database_bytes(session)

    a_queued_job(database)
    claim = a_claim(database)
    recorder = a_recorder(database, claim)
    for step in range(3):
        recorder.checkpoint(a_draft(step=step, weights=bytes(9 * MEBIBYTE)))
    while_it_trains = bytes_when_collected()
    with database.begin() as session:
        claims.release(session, claim.lease, status="cancelled", now=NOON)

    assert while_it_trains > 18 * MEBIBYTE
    assert bytes_when_collected() < 11 * MEBIBYTE


def test_a_blob_that_loses_chunks_while_it_is_read_is_gone_and_never_wrong(
    database: Database,
) -> None:
    content = b"".join(bytes([part]) * MEBIBYTE for part in range(24))
    sha256, _ = blobs.put(database, content)
    reader = blobs.stream(database, sha256)
    first_slice = blobs.SLICE_BYTES // database.chunk_bytes
    for _ in islice(reader, first_slice):
        pass
    with database.begin() as session:  # what a sweep does, seen between two of its slices
        overtaken = BlobChunkRow.position < 2 * first_slice
        session.execute(sa.delete(BlobChunkRow).where(overtaken))

    with pytest.raises(BlobGone):
        list(reader)


def test_the_file_shrinks_when_small_blobs_are_released(sqlite_database: Database) -> None:
    database = sqlite_database
    shas = [blobs.put(database, bytes([part]) * 4 * MEBIBYTE)[0] for part in range(8)]
    with database.begin() as session:
        full = database_bytes(session)
        blobs.unhold(session, shas)
        blobs.release(session, shas)

    blobs.collect(database)

    with database.read() as session:
        assert database_bytes(session) < full / 4
