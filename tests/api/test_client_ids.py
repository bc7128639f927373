"""A job under an id of its client: made one time of one request, whatever is sent again."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from service.catalogue import Catalogue
from service.store.engine import Database
from tests.api.asking import Asking

JOB: dict[str, Any] = {"dataset": "eating", "architecture": "rnn"}


@pytest.fixture(scope="session")
def sqlite_template(with_eating: Path) -> Path:
    """What databases are copied from: here all jobs are of one dataset."""
    return with_eating


@pytest.fixture
def asking(sqlite_database: Database, catalogue: Catalogue) -> Asking:
    """The service, for what is no matter of the database."""
    return Asking(sqlite_database, catalogue)


def put(asking: Asking, under: str = "mine", **changes: Any) -> httpx.Response:
    path = f"/v1/jobs/by-client-id/{quote(under, safe='')}"
    return asking.request("PUT", path, json={**JOB, **changes})


def jobs(asking: Asking) -> list[str]:
    return [job["id"] for job in asking.get("/v1/jobs").json()["data"]]


def test_the_same_request_finds_the_job_it_made(database: Database, catalogue: Catalogue) -> None:
    asking = Asking(database, catalogue)
    first, second = put(asking), put(asking)

    assert (first.status_code, second.status_code) == (202, 200)
    assert first.headers["Location"] == f"/v1/jobs/{first.json()['id']}"
    assert first.json()["client_id"] == "mine"
    assert second.json() == first.json()
    assert jobs(asking) == [first.json()["id"]]


@pytest.mark.parametrize(
    "other",
    [
        b'{"architecture":{"type":"rnn"},"dataset":{"name":"eating"},"client_id":"mine"}',
        b'{"client_id":null,"dataset":"eating",\n\n "architecture":"rnn"}',
    ],
)
def test_a_request_written_in_another_way_is_the_same(asking: Asking, other: bytes) -> None:
    put(asking)
    headers = {"Content-Type": "application/json"}

    again = asking.request("PUT", "/v1/jobs/by-client-id/mine", content=other, headers=headers)

    assert again.status_code == 200


@pytest.mark.parametrize(
    "change", [{"priority": 1}, {"architecture": {"type": "rnn", "layers": 2}}]
)
def test_another_request_is_told_that_the_id_is_taken(
    asking: Asking, change: dict[str, Any]
) -> None:
    put(asking)

    refused = put(asking, **change)

    assert (refused.status_code, refused.json()["code"]) == (409, "client_id_taken")
    assert "made of another request" in refused.json()["detail"]


def test_a_job_that_was_posted_is_found(asking: Asking) -> None:
    posted = asking.request("POST", "/v1/jobs", json={**JOB, "client_id": "mine"})

    assert put(asking).json()["id"] == posted.json()["id"]
    assert put(asking, priority=1).status_code == 409


def test_a_job_is_found_when_what_it_needed_is_gone(
    sqlite_database: Database, catalogue: Catalogue
) -> None:
    asking = Asking(sqlite_database, catalogue, max_queued_jobs=1)
    text = {"name": "poem", "type": "text", "text": "the sun is warm\nthe sea is deep\n"}
    asking.request("POST", "/v1/datasets", json=text)
    first = put(asking, dataset="poem")
    asking.request("POST", f"{first.headers['Location']}/cancel")
    assert asking.request("DELETE", "/v1/datasets/poem").status_code == 204
    assert put(asking, "other").status_code == 202
    assert put(asking, "third").status_code == 503

    assert put(asking, dataset="poem").json()["id"] == first.json()["id"]


def test_the_id_in_the_body_must_be_the_one_of_the_path(asking: Asking) -> None:
    assert put(asking, client_id="mine").status_code == 202

    refused = put(asking, "mine", client_id="yours")

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/client_id"


@pytest.mark.parametrize("client_id", [".", "..", ""])
def test_an_id_that_no_path_can_hold_is_refused_before_it_is_lost(
    asking: Asking, client_id: str
) -> None:
    refused = asking.request("POST", "/v1/jobs", json={**JOB, "client_id": client_id})

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/client_id")


@pytest.mark.parametrize("client_id", ["밥/먹기 1", "a?b#c", "metrics", "x" * 512, "a/", ":%2F"])
def test_an_id_is_any_text(asking: Asking, client_id: str) -> None:
    made = put(asking, client_id)

    assert (made.status_code, made.json()["client_id"]) == (202, client_id)


def test_two_spellings_of_one_id_are_one(asking: Asking) -> None:
    composed, decomposed = put(asking, "caf\u00e9"), put(asking, "cafe\u0301")

    assert decomposed.status_code == 200
    assert composed.json()["client_id"] == decomposed.json()["client_id"] == "caf\u00e9"


@pytest.mark.parametrize("client_id", ["", "x" * 513, "a\0"])
def test_what_is_no_text_is_no_id(asking: Asking, client_id: str) -> None:
    refused = put(asking, client_id)

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/path/client_id"


def test_of_many_at_once_one_makes_the_job(database: Database, catalogue: Catalogue) -> None:
    askings = [Asking(database, catalogue) for _ in range(8)]
    put(askings[0], "other")

    with ThreadPoolExecutor(len(askings)) as threads:
        answers = list(threads.map(put, askings))

    assert sorted(each.status_code for each in answers) == [200] * 7 + [202], [
        json.loads(each.content) for each in answers
    ]
    assert len({each.json()["id"] for each in answers}) == 1
    assert len(jobs(askings[0])) == 2
