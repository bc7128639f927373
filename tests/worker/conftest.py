"""A yard per test, and for tests that leave their worker alive one worker for all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.store import migrate
from service.store.engine import Database
from tests.worker.yard import WorkerProcess, Yard

NICE = 3
"""Neither what it is elsewhere in tests, nor by default."""


@pytest.fixture
def yard(sqlite_database: Database, tmp_path: Path) -> Iterator[Yard]:
    """A SQLite file for workers that a test starts itself."""
    yard = Yard(sqlite_database, tmp_path)
    yield yard
    yard.close()


@pytest.fixture
def each_yard(database: Database, tmp_path: Path) -> Iterator[Yard]:
    """A yard on each kind of database."""
    yard = Yard(database, tmp_path)
    yield yard
    yard.close()


@pytest.fixture(scope="module")
def busy_yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A yard whose one worker serves all tests of a module; starting one takes seconds."""
    folder = tmp_path_factory.mktemp("yard")
    database = Database.open(f"sqlite:///{folder / 'trainyard.db'}")
    migrate.upgrade(database)
    yard = Yard(database, folder)
    yield yard
    yard.close()
    database.dispose()


@pytest.fixture(scope="module")
def worker(busy_yard: Yard) -> WorkerProcess:
    """The worker of `busy_yard`; it trains up to three jobs at once."""
    return busy_yard.start_worker(workers=3, nice=NICE)
