"""PostgreSQL goes away and comes back: nobody sees a 500, nothing that was accepted is lost."""

import os
import select
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.postgresql import StoppablePostgresql, stoppable_postgresql
from service.client import Client
from service.store.engine import Database
from tests.eventually import eventually
from tests.integration.conftest import running
from tests.integration.faults import (
    SECONDS,
    TINY,
    assert_refused,
    assert_whole,
    requests_for,
    trains,
    until,
    writes_for,
)

LONG = {
    "model": "long",
    "dataset": "eating",
    "architecture": {"type": "rnn", "hidden_size": 16},
    "training": {"epochs": 8, "batch_size": 8},
}


@pytest.fixture(scope="module")
def postgresql() -> Iterator[StoppablePostgresql]:
    with stoppable_postgresql() as server:
        yield server


@pytest.fixture
def database(postgresql: StoppablePostgresql) -> Iterator[Database]:
    database = Database.open(postgresql.url)
    yield database
    database.dispose()


def spend(seconds: float) -> None:
    """Let an outage last: its length is what is tested."""
    until_then = time.monotonic() + seconds
    while (rest := until_then - time.monotonic()) > 0:
        select.select([], [], [], rest)


@pytest.mark.parametrize(
    ("mode", "outage"),
    [("fast", 3.0), pytest.param("immediate", 60.0, marks=pytest.mark.slow)],
)
def test_an_outage_delays_requests_and_jobs_and_nothing_else(
    postgresql: StoppablePostgresql,
    database: Database,
    tmp_path: Path,
    mode: str,
    outage: float,
) -> None:
    settings = {"TRAINYARD_LEASE_SECONDS": "4"}
    with (
        running(postgresql.url, tmp_path, **settings) as url,
        Client(url) as client,
        httpx.Client(base_url=url, timeout=SECONDS) as http,
    ):
        client.wait_for_job(client.create_job({**TINY, "model": "tiny"}).id)
        job = client.create_job(LONG)
        trains(client, job)
        postgresql.stop(mode)
        try:
            for method, path, arguments in requests_for(job.id):
                answer = http.request(method, path, **arguments)
                assert_refused(answer, "database_unavailable")
            assert http.get("/livez").status_code == 200
            unready = http.get("/readyz")
            assert (unready.status_code, unready.json()["status"]) == (503, "not_ready")
            assert "cannot be reached" in unready.json()["reason"]
            spend(outage)
        finally:
            postgresql.start()
        until(http, "/readyz", 200)
        for method, path, arguments in requests_for(job.id):
            answer = http.request(method, path, **arguments)
            assert answer.status_code in {200, 201, 202, 204}, (method, path, answer.text)
        ended = client.wait_for_job(job.id, deadline=240)
        assert ended.status == "succeeded", ended.error
        assert_whole(database, ended)
        newest = client.wait_for_job(client.list_jobs().data[0].id)
        assert newest.status == "succeeded"
        assert http.get("/readyz").json()["workers_fresh"] == 1


@pytest.mark.slow  # the drain waits its whole time for a database to write to
def test_a_service_that_ends_or_starts_in_an_outage_does_it_in_order(
    postgresql: StoppablePostgresql, database: Database, tmp_path: Path
) -> None:
    with (
        running(postgresql.url, tmp_path) as url,
        Client(url) as client,
    ):
        job = client.create_job({**LONG, "model": "second"})
        trains(client, job)
        postgresql.stop("immediate")
    postgresql.start()
    with running(postgresql.url, tmp_path) as url, Client(url) as client:
        ended = client.wait_for_job(job.id, deadline=240)
        assert (ended.status, ended.attempt) == ("succeeded", 2)
        assert_whole(database, ended)


@pytest.mark.slow
def test_a_start_waits_for_a_database_that_comes_up(
    postgresql: StoppablePostgresql, tmp_path: Path
) -> None:
    postgresql.stop("fast")
    log = tmp_path / "service.log"
    child = os.fork()
    if child == 0:
        eventually(lambda: "waiting for the database" in log.read_text() if log.exists() else None)
        postgresql.start()
        os._exit(0)
    with running(postgresql.url, tmp_path) as url:
        assert httpx.get(f"{url}/readyz", timeout=SECONDS).status_code == 200
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.slow
def test_a_server_that_takes_no_writes_is_not_ready_but_answers(
    postgresql: StoppablePostgresql, tmp_path: Path
) -> None:
    with (
        running(postgresql.url, tmp_path) as url,
        Client(url) as client,
        httpx.Client(base_url=url, timeout=SECONDS) as http,
    ):
        job = client.wait_for_job(client.create_job({**TINY, "model": "tiny"}).id)
        postgresql.set_read_only("on")
        unready = until(http, "/readyz", 503)
        assert "can only be read" in unready.json()["reason"]
        assert client.predict("tiny", ["I like"]).predictions
        for method, path, arguments in writes_for(job.id):
            assert_refused(http.request(method, path, **arguments), "database_read_only")
        postgresql.set_read_only("off")
        until(http, "/readyz", 200)
        assert client.wait_for_job(client.create_job(TINY).id).status == "succeeded"
