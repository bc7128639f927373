"""Blobs: the same bytes once, in pieces, for as long as somebody needs them."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.store import blobs, datasets
from service.store.blobs import DatabaseBlobs
from service.store.engine import LOG_BYTES, MEBIBYTE, Database, database_now
from service.store.tables import BlobChunkRow, BlobRow, Row, UploadRow
from tests.builders import a_dataset

LARGE = bytes(range(256)) * 4096 * 10 + b"end"  # 10 MiB: more than a transaction


class Pieces(NamedTuple):
    """Bytes that come in pieces."""

    parts: Sequence[bytes]

    def pieces(self) -> Iterator[memoryview]:
        return map(memoryview, self.parts)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.binary(max_size=2000))
def test_bytes_come_back_as_they_went_in(database: Database, content: bytes) -> None:
    store = DatabaseBlobs(database)
    sha256, size = store.put(BytesIO(content))
    assert (sha256, size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert store.read(sha256) == content


def test_large_bytes_are_stored_and_read_in_pieces(database: Database) -> None:
    sha256, _ = blobs.put(database, BytesIO(LARGE))
    pieces = list(blobs.stream(database, sha256))

    assert b"".join(pieces) == LARGE
    assert {len(piece) for piece in pieces[:-1]} == {database.chunk_bytes}


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(sizes=st.lists(st.integers(0, 3_000_000), max_size=5))
def test_pieces_of_any_size_are_stored_in_chunks_of_one(
    database: Database, sizes: list[int]
) -> None:
    pieces = [bytes([index + 1]) * size for index, size in enumerate(sizes)]
    whole = b"".join(pieces)
    sha256, size = blobs.write(database, Pieces(pieces))

    assert (sha256, size) == (hashlib.sha256(whole).hexdigest(), len(whole))
    chunks = list(blobs.stream(database, sha256))
    assert b"".join(chunks) == whole
    assert {len(chunk) for chunk in chunks[:-1]} <= {database.chunk_bytes}


def test_bytes_that_were_written_before_stay_as_they_are(database: Database) -> None:
    for held in (1, 2):
        sha256, _ = blobs.write(database, Pieces([LARGE, b"more"]))
        with database.begin() as session:
            assert session.get_one(BlobRow, sha256).holds == held
    blobs.sweep(database)

    assert count(database, BlobRow) == count(database, UploadRow) == 1
    assert blobs.read(database, sha256) == LARGE + b"more"


def test_a_large_write_copies_the_log_when_commits_do_not(sqlite_database: Database) -> None:
    url = str(sqlite_database.engine.url)
    database = Database.open(url, pool_size=2, copies_log=False)
    blobs.write(database, Pieces([bytes(MEBIBYTE)] * 150))

    log = Path(f"{sqlite_database.engine.url.database}-wal")
    assert MEBIBYTE < log.stat().st_size < LOG_BYTES + 2 * blobs.SLICE_BYTES
    database.dispose()


def test_a_stream_is_stored_from_where_it_stands(sqlite_database: Database) -> None:
    content = BytesIO(b"header and body")
    content.seek(7)
    sha256, _ = blobs.put(sqlite_database, content)
    assert blobs.read(sqlite_database, sha256) == b"and body"


def test_the_same_bytes_are_stored_once(database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        shas = {sha256 for sha256, _ in pool.map(blobs.put, [database] * 4, [LARGE] * 4)}
    blobs.sweep(database)

    assert len(shas) == 1
    assert count(database, BlobRow) == count(database, UploadRow) == 1
    assert count(database, BlobChunkRow) == -(-len(LARGE) // database.chunk_bytes)
    assert blobs.read(database, shas.pop()) == LARGE


def test_unknown_bytes_are_a_key_error(database: Database) -> None:
    with pytest.raises(KeyError):
        blobs.read(database, "0" * 64)


def test_a_hold_keeps_bytes_until_it_is_given_back(database: Database) -> None:
    sha256, _ = blobs.put(database, b"held")
    blobs.put(database, b"held")
    for holds_left in (1, 0):
        assert blobs.collect(database) == 0
        with database.begin() as session:
            blobs.release(session, [sha256])
        assert blobs.read(database, sha256) == b"held"
        with database.begin() as session:
            blobs.unhold(session, [sha256])
            assert session.get_one(BlobRow, sha256).holds == holds_left

    assert blobs.collect(database) == 1
    assert no_bytes(database)


def test_released_bytes_go_at_once_unless_referred_to(database: Database) -> None:
    dataset = a_dataset(database, content=b"I like eating\n")
    used = dataset.files[0].sha256
    unused, _ = blobs.put(database, b"nobody wants this")
    with database.begin() as session:
        blobs.unhold(session, [unused])
        blobs.release(session, [used, unused])

    assert blobs.read(database, used)
    with pytest.raises(KeyError):
        blobs.read(database, unused)
    with database.begin() as session:
        datasets.delete_dataset(session, dataset.name)
    assert no_bytes(database)


def test_large_bytes_are_deleted_slice_by_slice(database: Database) -> None:
    sha256, _ = blobs.put(database, LARGE)
    with database.begin() as session:
        blobs.unhold(session, [sha256])
        blobs.release(session, [sha256])
    assert count(database, BlobRow) == 0
    assert count(database, BlobChunkRow) > 0

    assert blobs.sweep(database) == 1
    assert no_bytes(database)


def test_an_expired_hold_keeps_nothing(database: Database) -> None:
    sha256, _ = blobs.put(database, b"forgotten by an upload that died")
    expire_holds(database)

    assert blobs.collect(database) == 1
    assert no_bytes(database)
    assert blobs.put(database, b"forgotten by an upload that died")[0] == sha256


def test_the_hold_after_an_expired_one_counts_alone(database: Database) -> None:
    sha256, _ = blobs.put(database, b"x")
    expire_holds(database)
    blobs.put(database, b"x")
    with database.begin() as session:
        assert session.get_one(BlobRow, sha256).holds == 1


def test_chunks_of_an_upload_that_died_are_collected_after_its_hour(database: Database) -> None:
    with database.begin() as session:
        soon = database_now(session) + timedelta(hours=1)
        session.add(UploadRow(id="upl_1", expires_at=soon))
        session.flush()
        session.add(BlobChunkRow(upload_id="upl_1", position=0, data=b"half"))
    blobs.collect(database)
    assert count(database, BlobChunkRow) == 1

    with database.begin() as session:
        session.execute(sa.update(UploadRow).values(expires_at=database_now(session)))
    blobs.collect(database)
    assert no_bytes(database)


def test_a_reference_that_arrives_during_a_release_wins(postgresql_database: Database) -> None:
    database = postgresql_database
    sha256, _ = blobs.put(database, b"contested")
    with database.begin() as writer:
        writer.execute(
            sa.text(
                "INSERT INTO datasets VALUES ('ds_1', 'x', 'x', '{}', '{}', '', '', false, now())"
            )
        )
        writer.execute(
            sa.text("INSERT INTO dataset_files VALUES ('ds_1', 'file', 0, :sha, 9)"),
            {"sha": sha256},
        )
        blobs.unhold(writer, [sha256])
        with database.begin() as other:
            blobs.release(other, [sha256])  # neither waits nor deletes

    blobs.collect(database)
    assert blobs.read(database, sha256) == b"contested"


def test_collecting_gives_pages_back_to_the_file_system(sqlite_database: Database) -> None:
    def pages() -> int:
        with sqlite_database.read() as session:
            return session.scalars(sa.text("PRAGMA page_count")).one()

    before = pages()
    sha256, _ = blobs.put(sqlite_database, LARGE)
    full = pages()
    with sqlite_database.begin() as session:
        blobs.unhold(session, [sha256])
    blobs.collect(sqlite_database)

    assert full > before + 600
    assert pages() <= before + 10


def test_every_foreign_key_to_blobs_counts_as_a_reference() -> None:
    referring = {
        f"{table.name}.{column.name}"
        for table in Row.metadata.sorted_tables
        for column in table.columns
        if any(key.target_fullname == "blobs.sha256" for key in column.foreign_keys)
    }
    assert {f"{c.class_.__tablename__}.{c.key}" for c in blobs.REFERENCES} == referring


def count(database: Database, table: type[Row]) -> int:
    with database.read() as session:
        return session.scalars(sa.select(sa.func.count()).select_from(table)).one()


def no_bytes(database: Database) -> bool:
    return not any(count(database, table) for table in (BlobRow, UploadRow, BlobChunkRow))


def expire_holds(database: Database) -> None:
    with database.begin() as session:
        past = database_now(session) - timedelta(seconds=1)
        session.execute(sa.update(BlobRow).values(held_until=past))
