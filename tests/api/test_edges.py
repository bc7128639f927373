"""What happens at the edges: full queues, missing schemas, bugs, bodies without a length."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.api.limits import BodyLimits, Gate
from service.catalogue import Catalogue
from service.domain.problems import Busy
from service.store.engine import Database
from tests.api.asking import Asking

JOB = {"dataset": "eating", "architecture": "rnn"}


def test_a_full_queue_says_when_to_come_again(database: Database, catalogue: Catalogue) -> None:
    client = Asking(database, catalogue, max_queued_jobs=1)
    assert client.request("POST", "/v1/jobs", json=JOB).status_code == 202
    refused = client.request("POST", "/v1/jobs", json=JOB)
    assert refused.status_code == 503
    assert refused.json()["code"] == "queue_full"
    assert int(refused.headers["Retry-After"]) > 0
    assert len(client.get("/v1/jobs").json()["data"]) == 1


def test_a_migrated_database_is_ready_without_any_worker(
    database: Database, catalogue: Catalogue
) -> None:
    answer = Asking(database, catalogue).get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["workers_fresh"] == 0


def test_a_database_without_schema_is_not_ready_but_alive(
    unmigrated_database: Database, catalogue: Catalogue
) -> None:
    client = Asking(unmigrated_database, catalogue)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "trainyard migrate" in answer.json()["reason"]
    assert client.get("/livez").status_code == 200


def test_a_bug_is_a_problem_without_its_stack_trace(
    unmigrated_database: Database, catalogue: Catalogue
) -> None:
    client = Asking(unmigrated_database, catalogue)
    answer = client.get("/v1/jobs", x_request_id="mine-7")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "mine-7"
    assert answer.json()["code"] == "internal_error"
    assert "jobs" not in answer.json()["detail"]


def test_a_body_that_hides_its_length_is_counted(database: Database, catalogue: Catalogue) -> None:
    client = Asking(database, catalogue, max_body_bytes=1024)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b" " * 512

    headers = {"Content-Type": "application/json"}
    answer = client.request("POST", "/v1/jobs", content=chunks(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


def test_an_insane_request_id_is_replaced(database: Database, catalogue: Catalogue) -> None:
    client = Asking(database, catalogue)
    answer = client.get("/livez", x_request_id="a b")
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.timeout(40)
def test_a_known_etag_waits_and_an_unknown_one_does_not(
    database: Database, catalogue: Catalogue
) -> None:
    client = Asking(database, catalogue)
    job = client.request("POST", "/v1/jobs", json=JOB).headers["Location"]
    changed = client.get(job, prefer="wait=60", if_none_match='"old"')
    assert changed.status_code == 200
    unchanged = client.get(job, prefer="wait=1", if_none_match=changed.headers["ETag"])
    assert unchanged.status_code == 304
    assert unchanged.headers["Preference-Applied"] == "wait=1"


@pytest.mark.parametrize("begins", [b"", b"{"], ids=["nothing of it", "a part of it"])
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/models/eating/predict"])
def test_a_body_that_stops_arriving_is_given_up(
    database: Database,
    catalogue: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    begins: bytes,
) -> None:
    monkeypatch.setattr(BodyLimits, "piece_seconds", 0.05)

    async def stalled() -> AsyncIterator[bytes]:
        if begins:
            yield begins
        await asyncio.Event().wait()

    headers = {"Content-Type": "application/json", "Content-Length": "20"}
    client = Asking(database, catalogue)
    answer = client.request("POST", path, content=stalled(), headers=headers)
    assert answer.status_code == 408
    assert answer.json()["code"] == "request_timeout"
    assert answer.headers["Connection"] == "close"


def test_a_body_that_drips_is_given_up(
    database: Database, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BodyLimits, "piece_seconds", 0.2)

    async def dripping() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    headers = {"Content-Type": "application/json"}
    client = Asking(database, catalogue)
    answer = client.request("POST", "/v1/jobs", content=dripping(), headers=headers)
    assert answer.status_code == 408


def test_uploads_beyond_the_places_are_turned_away_before_they_are_read() -> None:
    gate = Gate(1)
    with gate.place(), pytest.raises(Busy), gate.place():
        pass
    with gate.place():
        pass
