"""Limits of the real service: many slow requests at once, many idle and waiting connections."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.client import Client
from tests.integration.conftest import running

SLOW_REQUESTS = 120
JOB = {
    "dataset": "eating",
    "architecture": "rnn",
    "training": {"max_steps": 2, "device": "mps"},  # nobody takes it
}


class Locked:
    """A service of its own, and the file that a test locks."""

    def __init__(self, url: str, file: Path) -> None:
        self.url = url
        self.file = file


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Locked]:
    file = tmp_path / "trainyard.db"
    with running(f"sqlite:///{file}", tmp_path) as url:
        yield Locked(url, file)


def test_when_all_threads_wait_others_are_told_so_and_probes_and_predictions_go_on(
    locked: Locked,
) -> None:
    with Client(locked.url) as client:
        done = client.wait_for_job(client.create_job({**JOB, "training": {"max_steps": 2}}).id)
        client.predict(done.id, ["I like"])
        known = {job.id for job in client.list_jobs(limit=100).data}

        statuses, alive, predicted = asyncio.run(_send_while_locked(locked, done.id))

        accepted = {job.id for job in client.list_jobs(limit=100, status="queued").data} - known
    assert set(statuses) <= {202, 503}
    assert statuses[503] >= SLOW_REQUESTS - 80  # there are 40 threads
    assert len(accepted) == min(statuses[202], 100)
    assert (alive, predicted) == (200, 200)


async def _send_while_locked(locked: Locked, model: str) -> tuple[Counter[int], int, int]:
    """Send more writing requests than threads, and look at the service meanwhile."""
    limits = httpx.Limits(max_connections=None)
    lock = sqlite3.connect(locked.file, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    async with httpx.AsyncClient(base_url=locked.url, timeout=120, limits=limits) as http:
        slow = [
            asyncio.ensure_future(http.post("/v1/jobs", json=JOB)) for _ in range(SLOW_REQUESTS)
        ]
        first, _ = await asyncio.wait(slow, return_when=asyncio.FIRST_COMPLETED)
        refused = next(iter(first)).result()
        assert refused.json()["code"] in {"service_busy", "database_busy"}
        assert int(refused.headers["Retry-After"]) > 0
        alive = await http.get("/livez")
        body = {"inputs": ["I like"]}
        predicted = await http.post(f"/v1/models/{model}/predict", json=body)
        lock.execute("ROLLBACK")
        answers = await asyncio.gather(*slow)
    lock.close()
    return Counter(each.status_code for each in answers), alive.status_code, predicted.status_code


def test_a_crowd_of_idle_and_waiting_connections_keeps_nobody_out(service: str) -> None:
    with Client(service) as client:
        job = client.create_job(JOB)
        asyncio.run(_crowd(service, job.id))
        assert client.cancel_job(job.id).status == "cancelled"


async def _crowd(service: str, job_id: str) -> None:
    url = httpx.URL(service)
    idle = [await asyncio.open_connection(url.host, url.port) for _ in range(300)]
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=service, timeout=120, limits=limits) as http:
        headers = {"Prefer": "wait=60"}
        waits = [
            asyncio.ensure_future(http.get(f"/v1/jobs/{job_id}", headers=headers))
            for _ in range(100)
        ]
        answers = await asyncio.gather(*(http.get("/v1/jobs?limit=1") for _ in range(50)))
        assert {each.status_code for each in answers} == {200}
        paused = await http.post(f"/v1/jobs/{job_id}/pause")
        assert paused.status_code == 200
        seen = await asyncio.gather(*waits)
    assert {each.json()["status"] for each in seen} == {"paused"}
    for _, writer in idle:
        writer.close()
