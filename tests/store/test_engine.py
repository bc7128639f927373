"""The database itself: transactions, times, and how SQLite's file is made."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import StatementError

from service.store import jobs
from service.store.engine import PAGE_BYTES, Database, database_bytes, database_now
from service.store.errors import DatabaseBusy
from service.store.tables import WorkerRow
from tests.builders import NOON, a_queued_job

INCREMENTAL, NORMAL, FULL, FAST = 2, 1, 2, 2


def test_sqlite_is_made_with_its_pages_and_pragmas(sqlite_database: Database) -> None:
    with sqlite_database.read() as session:

        def pragma(name: str) -> object:
            return session.scalars(sa.text(f"PRAGMA {name}")).one()

        assert pragma("page_size") == PAGE_BYTES == 16 * 1024
        assert pragma("auto_vacuum") == INCREMENTAL
        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == FULL
        assert pragma("foreign_keys") == 1
        assert pragma("busy_timeout") == 30_000
        assert pragma("journal_size_limit") == 64 * 1024**2
        assert pragma("secure_delete") == FAST
        assert pragma("wal_autocheckpoint") == 1000


def test_only_a_relaxed_transaction_does_not_wait_for_the_disk(sqlite_database: Database) -> None:
    database = Database.open(str(sqlite_database.engine.url), pool_size=1)
    waits: list[int] = []
    for relaxed in (False, True, False, True):
        with database.begin(relaxed=relaxed) as session:
            waits.append(session.scalars(sa.text("PRAGMA synchronous")).one())
    with database.read() as session:
        waits.append(session.scalars(sa.text("PRAGMA synchronous")).one())
    database.dispose()

    assert waits == [FULL, NORMAL, FULL, NORMAL, FULL]


def test_a_relaxed_transaction_of_postgresql_relaxes_no_other(
    postgresql_database: Database,
) -> None:
    def waits(*, relaxed: bool) -> str:
        with postgresql_database.begin(relaxed=relaxed) as session:
            return session.scalars(sa.text("SHOW synchronous_commit")).one()

    with postgresql_database.engine.connect() as connection:
        connection.execute(sa.text("SET SESSION synchronous_commit = on"))
        connection.commit()  # the pool hands out the same connection again
    assert [waits(relaxed=relaxed) for relaxed in (False, True, False)] == ["on", "off", "on"]


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def fail_after_writing() -> None:
        with database.begin() as session:
            session.add(a_worker())
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_writing()
    with database.read() as session:
        assert session.get(WorkerRow, "wrk_1") is None


def test_a_read_sees_one_moment_and_waits_for_no_writer(database: Database) -> None:
    job = a_queued_job(database)
    with database.read() as reading:
        assert jobs.get_job(reading, job.id).status == "queued"
        with database.begin() as writing:
            jobs.apply_action(writing, job.id, "cancel", now=NOON)
            with database.read() as other:
                assert jobs.get_job(other, job.id).status == "queued"
        assert jobs.get_job(reading, job.id).status == "queued"
    with database.read() as reading:
        assert jobs.get_job(reading, job.id).status == "cancelled"


def test_times_come_back_as_the_same_moment_in_utc(database: Database) -> None:
    elsewhere = timezone(timedelta(hours=9))
    moment = datetime(2026, 1, 1, 21, 0, 0, 123456, tzinfo=elsewhere)
    with database.begin() as session:
        session.add(a_worker(started_at=moment))
    with database.read() as session:
        stored = session.scalars(sa.select(WorkerRow.started_at)).one()
    assert stored == moment
    assert stored.tzinfo == UTC


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001
    with pytest.raises(StatementError), database.begin() as session:
        session.add(a_worker(started_at=naive))


def test_the_clock_is_the_database_s(database: Database) -> None:
    with database.read() as session:
        first, second = database_now(session), database_now(session)
    assert first <= second
    assert abs(second - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_size_of_the_database_is_known(database: Database) -> None:
    with database.read() as session:
        assert database_bytes(session) > 10 * PAGE_BYTES


def test_an_exhausted_pool_is_a_problem_that_passes(sqlite_database: Database) -> None:
    url = sqlite_database.engine.url.render_as_string()
    small = Database.open(url, pool_size=1, wait_for=timedelta(0))
    with small.read() as first:
        first.execute(sa.text("SELECT 1"))
        with pytest.raises(DatabaseBusy), small.read() as second:
            second.execute(sa.text("SELECT 1"))
    small.dispose()


def test_a_lock_that_is_not_given_back_is_a_problem_that_passes(
    sqlite_database: Database,
) -> None:
    url = sqlite_database.engine.url.render_as_string()
    impatient = Database.open(url, wait_for=timedelta(0))
    with sqlite_database.begin() as session:
        session.execute(sa.text("SELECT 1"))
        with pytest.raises(DatabaseBusy), impatient.begin() as second:
            second.execute(sa.text("SELECT 1"))
    impatient.dispose()


def test_writers_wait_for_each_other(database: Database) -> None:
    job = a_queued_job(database)
    ready = threading.Barrier(4)

    def pause_and_resume() -> None:
        ready.wait()
        for action in ("pause", "resume"):
            with database.begin() as session:
                jobs.apply_action(session, job.id, action, now=NOON)

    threads = [threading.Thread(target=pause_and_resume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert jobs.get_job(session, job.id).status == "queued"


def test_the_password_is_not_shown() -> None:
    database = Database.open("postgresql://me:secret@example.org/trainyard")
    assert "secret" not in database.url_without_password
    assert database.engine.url.drivername == "postgresql+psycopg"


def test_sqlite_in_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="file"):
        Database.open("sqlite://")


def a_worker(*, started_at: datetime = NOON) -> WorkerRow:
    return WorkerRow(
        id="wrk_1",
        host="here",
        pid=1,
        devices=["cpu"],
        components=[],
        threads=1,
        status="running",
        started_at=started_at,
        heartbeat_at=NOON,
    )
