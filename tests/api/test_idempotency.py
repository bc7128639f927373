"""A creating request with a key: done one time, answered the same way as often as it comes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.idempotency import HEADER, REPLAYED
from service.api.limits import BodyLimits
from service.catalogue import Catalogue
from service.store import datasets as dataset_store
from service.store import job_reads
from service.store.engine import Database
from service.store.job_reads import JobFilters
from tests.api.asking import Asking
from tests.api.workshop import Workshop

JOB = {"dataset": "eating", "architecture": "rnn"}
TEXT = "the sun is warm\nthe sea is deep\n"


class Creating:
    """Sends one kind of creating request with a key."""

    def __init__(self, path: str, sent: Callable[[int], dict[str, Any]]) -> None:
        self.path = path
        self._sent = sent

    def __call__(
        self, asking: Asking, key: str = "k-1", *, which: int = 1, query: str = "", **headers: str
    ) -> httpx.Response:
        named = {HEADER: key, **{name.replace("_", "-"): each for name, each in headers.items()}}
        return asking.request("POST", self.path + query, headers=named, **self._sent(which))


def a_form(which: int) -> dict[str, Any]:
    spec = json.dumps({"name": "poem", "type": "text"})
    return {"files": {"spec": (None, spec), "file": (f"{which}.txt", f"{TEXT}{which} words\n")}}


CREATING = {
    "a job": Creating("/v1/jobs", lambda which: {"json": {**JOB, "priority": which}}),
    "a text": Creating(
        "/v1/datasets",
        lambda which: {"json": {"name": "poem", "type": "text", "text": f"{TEXT}{which} words\n"}},
    ),
    "a form": Creating("/v1/datasets", a_form),
}


@pytest.fixture(params=CREATING)
def creating(request: pytest.FixtureRequest) -> Creating:
    """Each kind of creating request."""
    return CREATING[request.param]


@pytest.fixture(scope="session")
def sqlite_template(with_eating: Path) -> Path:
    """What databases are copied from: here all jobs are of one dataset."""
    return with_eating


@pytest.fixture
def asking(sqlite_database: Database, catalogue: Catalogue) -> Asking:
    """The service, for what is no matter of the database."""
    return Asking(sqlite_database, catalogue)


def made(database: Database) -> list[str]:
    """List what exists and was not there from the beginning.

    Not by way of the service, which would bring in all built-in datasets to list them.
    """
    with database.read() as session:
        jobs = job_reads.list_jobs(session, filters=JobFilters()).data
        datasets = dataset_store.list_datasets(session).data
    return [*(each.id for each in jobs), *(each.id for each in datasets if not each.built_in)]


def test_a_request_that_comes_again_is_answered_as_the_first_time(
    database: Database, catalogue: Catalogue, creating: Creating
) -> None:
    asking = Asking(database, catalogue)
    first = creating(asking, x_request_id="first")
    second = creating(asking, x_request_id="second")

    assert first.status_code in {201, 202}
    assert REPLAYED not in first.headers
    assert second.headers[REPLAYED] == "true"
    assert second.headers["X-Request-Id"] == "second"
    for same in ("Location", "Content-Type", "Content-Length"):
        assert second.headers[same] == first.headers[same]
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert made(database) == [first.json()["id"]]


def test_the_same_key_with_another_body_is_refused(
    sqlite_database: Database, asking: Asking, creating: Creating
) -> None:
    first = creating(asking)
    second = creating(asking, which=2)

    assert second.status_code == 422
    assert second.json()["code"] == "idempotency_key_reused"
    assert second.json()["errors"][0]["pointer"] == "/header/Idempotency-Key"
    assert made(sqlite_database) == [first.json()["id"]]


def test_whatever_creates_takes_a_key(asking: Asking) -> None:
    """A handler does so by the parameter `once: Once`, before that of its body."""
    document = asking.get("/openapi.json").json()
    creates = {
        path: {each["name"] for each in operations["post"].get("parameters", ())}
        for path, operations in document["paths"].items()
        if "post" in operations and {"201", "202"} & operations["post"]["responses"].keys()
    }
    assert {"/v1/jobs", "/v1/datasets"} <= creates.keys()
    assert [path for path, parameters in creates.items() if HEADER not in parameters] == []


def test_a_fork_and_a_promotion_that_come_again_are_answered_as_the_first_time(
    sqlite_database: Database, catalogue: Catalogue
) -> None:
    workshop = Workshop(sqlite_database, catalogue)
    job = workshop.a_trained_job()
    checkpoint = workshop.checkpoints(job)[0]["id"]
    asking = Asking(sqlite_database, catalogue)
    for path, body in (
        (f"/v1/jobs/{job.id}/fork", {"patch": {"training": {"epochs": 4}}}),
        ("/v1/models/kitchen/versions", {"checkpoint": checkpoint}),
    ):
        create = Creating(path, lambda _, body=body: {"json": body})
        first, second = create(asking), create(asking)

        assert first.is_success, first.text
        assert second.headers[REPLAYED] == "true"
        assert second.headers["Location"] == first.headers["Location"]
        assert (second.status_code, second.content) == (first.status_code, first.content)


def test_the_query_is_part_of_the_request(asking: Asking) -> None:
    create = CREATING["a job"]
    create(asking)

    assert create(asking, query="?validate_only=true").json()["code"] == "idempotency_key_reused"


def test_a_plan_keeps_nothing(asking: Asking) -> None:
    create = CREATING["a job"]
    assert create(asking, query="?validate_only=true").json()["object"] == "plan"

    assert create(asking).status_code == 202


def test_what_is_refused_leaves_its_key_free(asking: Asking) -> None:
    wrong = asking.request("POST", "/v1/jobs", json={"dataset": "eating"}, headers={HEADER: "k-1"})
    assert wrong.status_code == 422

    assert CREATING["a job"](asking).status_code == 202


def test_what_fails_leaves_its_key_free(database: Database, catalogue: Catalogue) -> None:
    full = Asking(database, catalogue, max_queued_jobs=1)
    before = CREATING["a job"](full, "other")
    assert CREATING["a job"](full).json()["code"] == "queue_full"
    full.request("POST", f"{before.headers['Location']}/cancel")

    assert CREATING["a job"](full).status_code == 202


def test_a_key_is_that_of_one_path(asking: Asking) -> None:
    job, text = CREATING["a job"](asking), CREATING["a text"](asking)

    assert (job.status_code, text.status_code) == (202, 201)


def test_a_key_is_that_of_one_caller(sqlite_database: Database, catalogue: Catalogue) -> None:
    asking = Asking(sqlite_database, catalogue, api_keys="ann:train:a,bob:train:b")
    anns, bobs = (CREATING["a job"](asking, x_api_key=key) for key in "ab")

    assert bobs.status_code == 202
    assert bobs.json()["id"] != anns.json()["id"]


def test_an_answer_is_given_again_when_what_it_needed_is_gone(asking: Asking) -> None:
    asking.request("POST", "/v1/datasets", **a_form(1))
    body = {**JOB, "dataset": "poem"}
    first = asking.request("POST", "/v1/jobs", json=body, headers={HEADER: "k-1"})
    asking.request("POST", f"{first.headers['Location']}/cancel")
    assert asking.request("DELETE", "/v1/datasets/poem").status_code == 204

    again = asking.request("POST", "/v1/jobs", json=body, headers={HEADER: "k-1"})

    assert (again.status_code, again.content) == (202, first.content)


def test_a_key_in_quotes_is_the_key(asking: Asking) -> None:
    for bare, quoted in [("k", '"k"'), ('a"b', '"a\\"b"'), ("a\\", '"a\\\\"')]:
        assert CREATING["a job"](asking, bare).status_code == 202
        assert CREATING["a job"](asking, quoted).headers[REPLAYED] == "true"


def test_keys_have_1_to_255_characters(asking: Asking) -> None:
    for key in ["!", "~" * 255, '"' + "#" * 255 + '"']:
        assert CREATING["a job"](asking, key).status_code == 202


def test_what_is_no_key_is_refused(asking: Asking) -> None:
    wrong = ["", '""', "a b", "a\tb", '"a', '"a"b', '"a";x=1', '"a\\b"', "x" * 256, "키", "\x7f"]
    for header in [*[[(HEADER, key.encode())] for key in wrong], [(HEADER, "a"), (HEADER, "b")]]:
        refused = asking.request("POST", "/v1/jobs", json=JOB, headers=header)
        assert refused.status_code == 400, header
        assert refused.json()["code"] == "idempotency_key_malformed"
        assert refused.json()["errors"][0]["pointer"] == "/header/Idempotency-Key"


def test_a_request_that_still_runs_is_not_done_beside_itself(asking: Asking) -> None:
    meanwhile: list[httpx.Response] = []
    body = json.dumps(JOB).encode()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:5]
        meanwhile.append(await asyncio.to_thread(CREATING["a job"], asking))
        yield body[5:]

    headers = {HEADER: "k-1", "Content-Type": "application/json"}
    first = asking.request("POST", "/v1/jobs", content=slowly(), headers=headers)

    [second] = meanwhile
    assert first.status_code == 202
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_in_progress")
    assert (second.headers["Retry-After"], second.headers["x-should-retry"]) == ("1", "true")
    again = asking.request("POST", "/v1/jobs", content=body, headers=headers)
    assert again.headers[REPLAYED] == "true"


def test_a_request_that_breaks_off_leaves_its_key_free(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BodyLimits, "piece_seconds", 0.05)

    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    headers = {HEADER: "k-1", "Content-Type": "application/json"}
    broken = asking.request("POST", "/v1/jobs", content=stalled(), headers=headers)
    assert broken.status_code == 408

    assert CREATING["a job"](asking).status_code == 202


def test_of_two_processes_one_creates_and_both_answer_it(
    database: Database, catalogue: Catalogue, creating: Creating
) -> None:
    askings = [Asking(database, catalogue) for _ in range(8)]
    askings[0].get("/v1/datasets/eating")  # what a job is of comes in

    with ThreadPoolExecutor(len(askings)) as threads:
        answers = list(threads.map(creating, askings))

    assert len({(each.status_code, each.content) for each in answers}) == 1
    assert [each.headers.get(REPLAYED) for each in answers].count(None) == 1
    assert len(made(database)) == 1
