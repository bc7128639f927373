"""Faults of the database are told apart as problems, and waited out where that is right."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from psycopg import errors as postgresql
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from service.domain.problems import Unavailable
from service.store import blobs, checkpoints, events
from service.store.engine import Database
from service.store.errors import (
    DATABASE_TROUBLE,
    DatabaseBusy,
    DatabaseReadOnly,
    DatabaseUnavailable,
    LeaseLost,
    StorageFull,
)
from service.store.faults import faults_are_problems
from service.store.patience import patiently
from service.store.tables import UploadRow
from tests.builders import a_claim, a_draft, a_queued_job, a_recorder


class Clock:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def failing(*troubles: Exception) -> Callable[[], str]:
    """Return something that fails with each of these, then succeeds."""
    rest: Iterator[Exception] = iter(troubles)

    def do() -> str:
        for trouble in rest:
            raise trouble
        return "done"

    return do


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (postgresql.AdminShutdown, DatabaseUnavailable),
        (postgresql.CannotConnectNow, DatabaseUnavailable),
        (postgresql.ConnectionFailure, DatabaseUnavailable),
        (postgresql.IoError, DatabaseUnavailable),
        (postgresql.OperationalError, DatabaseUnavailable),  # no server was reached
        (postgresql.InterfaceError, DatabaseUnavailable),  # the connection is closed
        (postgresql.TooManyConnections, DatabaseBusy),
        (postgresql.DeadlockDetected, DatabaseBusy),
        (postgresql.LockNotAvailable, DatabaseBusy),
        (postgresql.DiskFull, StorageFull),
        (postgresql.ReadOnlySqlTransaction, DatabaseReadOnly),
    ],
)
def test_what_postgresql_says_is_a_problem(
    error: type[postgresql.Error], problem: type[Unavailable]
) -> None:
    wrapped = DBAPIError.instance("SELECT 1", None, error("words"), postgresql.Error)

    with pytest.raises(problem), faults_are_problems():
        raise wrapped


@pytest.mark.parametrize("error", [postgresql.UniqueViolation, postgresql.DataError])
def test_a_mistake_of_ours_is_no_fault_of_the_database(error: type[postgresql.Error]) -> None:
    wrapped = DBAPIError.instance("SELECT 1", None, error("words"), postgresql.Error)

    with pytest.raises(DBAPIError), faults_are_problems():
        raise wrapped


def test_a_server_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    database = Database.open(f"postgresql:///nothing?host={tmp_path}")

    with pytest.raises(DatabaseUnavailable), database.read() as session:
        session.execute(sa.text("SELECT 1"))


def test_a_connection_that_the_server_ends_in_a_transaction_is_a_problem(
    postgresql_database: Database,
) -> None:
    with pytest.raises(DatabaseUnavailable), postgresql_database.begin() as session:
        session.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
    with postgresql_database.begin() as session:
        assert session.scalars(sa.text("SELECT 1")).one() == 1


def test_a_file_without_a_folder_is_a_problem(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/nowhere/trainyard.db")

    with pytest.raises(DatabaseUnavailable), database.read() as session:
        session.execute(sa.text("SELECT 1"))


def test_a_full_file_is_a_problem(sqlite_database: Database) -> None:
    def outgrow_it() -> None:
        with sqlite_database.begin() as session:
            session.execute(sa.text("PRAGMA max_page_count = 1"))  # SQLite: as large as it is
            session.execute(sa.text("CREATE TABLE t AS SELECT zeroblob(1000000)"))

    with pytest.raises(StorageFull):
        outgrow_it()


def test_nothing_large_is_taken_where_it_would_eat_the_reserve(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.store.engine.RESERVE_BYTES", (2**62, 2**62))

    with pytest.raises(StorageFull):
        blobs.put(sqlite_database, b"bytes")
    with sqlite_database.read() as session:
        assert session.scalars(sa.select(UploadRow.id)).all() == []
    assert blobs.collect(sqlite_database) == 0  # nothing half-written waited for it


def test_a_fault_that_passes_is_waited_for() -> None:
    clock = Clock()
    trouble = [DatabaseUnavailable() for _ in range(100)]

    assert patiently(failing(*trouble), pause=clock.pause, clock=clock) == "done"
    assert clock.pauses == sorted(clock.pauses)
    assert len(clock.pauses) == 100


def test_a_full_disk_is_not_waited_for_for_ever() -> None:
    clock = Clock()
    full = [StorageFull() for _ in range(100)]

    with pytest.raises(StorageFull):
        patiently(failing(*full), pause=clock.pause, clock=clock)


def test_a_lost_lease_ends_the_waiting() -> None:
    clock = Clock()

    with pytest.raises(LeaseLost):
        patiently(failing(DatabaseBusy(), LeaseLost()), pause=clock.pause, clock=clock)


def test_an_outage_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with caplog.at_level(logging.WARNING):
        patiently(failing(*[DatabaseBusy()] * 9), pause=clock.pause, clock=clock)

    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "waiting for the database",
        "the database answers again after 11.1 s",
    ]


def test_a_checkpoint_whose_commit_was_not_heard_of_is_stored_once(database: Database) -> None:
    """The connection breaks after the commit: as when a server goes down at that moment."""
    job = a_queued_job(database)
    recorder = a_recorder(database, a_claim(database))
    lost = iter([DatabaseUnavailable()])

    @event.listens_for(database.engine, "commit")
    def lose_the_answer(connection: sa.Connection) -> None:
        written = "SELECT count(*) FROM checkpoints"
        if connection.exec_driver_sql(written).scalar_one():
            for error in lost:
                connection.connection.commit()
                raise error

    recorder.event("epoch", {"epoch": 1})
    recorder.checkpoint(a_draft(kinds=("best", "latest", "periodic")))

    with database.read() as session:
        stored = checkpoints.list_checkpoints(session, job.id).data
        noted = [each.type for each in events.list_events(session, job.id)]
    assert sorted(checkpoint.kind for checkpoint in stored) == ["best", "latest", "periodic"]
    assert noted == ["queued", "claimed", "epoch", *["checkpoint"] * 3]
    assert list(lost) == []


def test_every_trouble_is_a_503() -> None:
    assert all(issubclass(trouble, Unavailable) for trouble in DATABASE_TROUBLE)
