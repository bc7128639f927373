"""The real service, started as a user starts it: one per kind of database for all tests."""

import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
import sqlalchemy as sa

from service.client import Client


@contextmanager
def running(
    database_url: str, folder: Path, *, command: str = "up", **settings: str
) -> Generator[str]:
    """Run `trainyard up`, or another, on a free port; give its URL; end it as an operator does."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("TRAINYARD_")
    }
    # Tests keep all cores busy: behind them jobs would starve.
    environment |= {"TRAINYARD_DATABASE_URL": database_url, "TRAINYARD_NICE": "0", **settings}
    with (
        (folder / "service.log").open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", "service", command, "--port", "0"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, (folder / "service.log").read_text()
        try:
            yield url
        except BaseException:
            process.kill()  # else a test that fails waits for a service that serves on
            raise
        process.terminate()
        assert process.wait(timeout=60) == 0


@contextmanager
def new_postgresql(server_url: str, name: str) -> Generator[str]:
    """Make an empty database; give its URL; drop it at the end."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    yield sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture(scope="session")
def sqlite_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service on a SQLite file."""
    folder = tmp_path_factory.mktemp("sqlite-service")
    with running(f"sqlite:///{folder}/trainyard.db", folder) as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_service(
    tmp_path_factory: pytest.TempPathFactory, postgresql_url: str
) -> Iterator[str]:
    """A service on PostgreSQL."""
    folder = tmp_path_factory.mktemp("postgresql-service")
    with new_postgresql(postgresql_url, "service") as url, running(url, folder) as service:
        yield service


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest) -> str:
    """The URL of a running service, on each kind of database."""
    return request.getfixturevalue(f"{request.param}_service")


@pytest.fixture(scope="session")
def client(service: str) -> Iterator[Client]:
    """The shipped client of the running service."""
    with Client(service) as client:
        yield client


@pytest.fixture(scope="session")
def http(service: str) -> Iterator[httpx.Client]:
    """A plain HTTP client, for what the shipped one would never send."""
    with httpx.Client(base_url=service, timeout=90) as client:
        yield client
