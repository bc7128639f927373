"""A job's process that cannot reach the database waits; it is tried again, and counts no death."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from service.store.engine import Database
from tests.eventually import eventually
from tests.worker.yard import Yard


@pytest.fixture
def yard(postgresql_database: Database, tmp_path: Path) -> Generator[Yard]:
    yard = Yard(postgresql_database, tmp_path)
    yield yard
    yard.close()


@contextmanager
def nobody_new(server_url: str, database: Database) -> Generator[None]:
    """Refuse new connections, so the worker keeps its own and its children find none."""

    def allow(connections: str) -> None:
        name = database.engine.url.database
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {connections}'.encode())

    allow("false")
    try:
        yield
    finally:
        allow("true")


def test_a_process_that_finds_no_database_waits_and_its_job_is_tried_again(
    yard: Yard, postgresql_url: str
) -> None:
    worker = yard.start_worker(max_deaths=1)
    eventually(lambda: yard.worker_statuses() == ["running"])

    with nobody_new(postgresql_url, yard.database):
        job = yard.accept(max_steps=8)
        eventually(lambda: "waiting for the database" in worker.log.read_text())
    ended = yard.wait_for(job, "succeeded", "failed")

    assert (ended.status, ended.attempt) == ("succeeded", 2)
    noted = [event.type for event in yard.events(job)]
    assert noted[:4] == ["queued", "claimed", "queued", "claimed"]
    assert "died" not in noted
