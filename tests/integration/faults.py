"""What the tests of faults share: requests of every kind, and what must hold afterwards."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from service.client import Client
from service.domain.jobs import Job
from service.store import events, metrics
from service.store.engine import Database
from tests.eventually import eventually

SENTENCES = "\n".join(f"we cook {what} number {n}" for what in ("rice", "soup") for n in range(40))
TINY = {
    "dataset": "eating",
    "architecture": {"type": "rnn", "hidden_size": 8},
    "training": {"epochs": 1},
}
SECONDS = 60.0
"""What a request may take at most during a fault: it fails the test, and asserts no speed."""


def requests_for(job: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Give one request of every kind that needs the database: method, path, arguments."""
    yield "GET", "/v1/jobs", {}
    yield "GET", f"/v1/jobs/{job}", {}
    yield "GET", f"/v1/jobs/{job}", {"headers": {"Prefer": "wait=2"}}
    yield "GET", f"/v1/jobs/{job}/metrics", {}
    yield "GET", f"/v1/jobs/{job}/metrics", {"headers": {"Accept": "text/csv"}}
    yield "GET", f"/v1/jobs/{job}/checkpoints", {}
    yield "GET", "/v1/datasets", {}
    yield "GET", "/v1/datasets/eating", {}
    yield "GET", "/v1/models", {}
    yield "GET", "/v1/models/tiny", {}
    yield "GET", "/v1/system", {}
    yield "POST", "/v1/models/tiny/predict", {"json": {"inputs": ["I like"]}}
    yield "POST", f"/v1/models/{job}@latest/predict", {"json": {"inputs": ["I like"]}}
    yield from writes_for(job)


def writes_for(job: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Give one request of every kind that writes, in an order in which all can succeed."""
    yield "POST", f"/v1/jobs/{job}/pause", {}
    yield "POST", f"/v1/jobs/{job}/resume", {}
    yield "POST", "/v1/jobs", {"json": {**TINY, "priority": -1}}
    yield "POST", "/v1/datasets", {"json": {"name": "soup", "type": "text", "text": SENTENCES}}
    files = {"spec": (None, '{"name": "soups", "type": "text"}'), "file": ("a.txt", SENTENCES)}
    yield "POST", "/v1/datasets", {"files": files}
    yield "DELETE", "/v1/datasets/soup", {}
    yield "DELETE", "/v1/datasets/soups", {}


def trains(client: Client, job: Job) -> None:
    """Wait until a job trains and has a checkpoint; who asks all the time would delay it."""
    for event in client.events(job.id):
        if event.type == "checkpoint":
            return
    message = f"{job.id} ended without a checkpoint"
    raise AssertionError(message)


def assert_refused(answer: httpx.Response, *codes: str) -> None:
    """Check that an answer is a problem in words that says when to come again."""
    assert answer.status_code == 503, (str(answer.request.url), answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["code"] in codes, answer.text


def assert_whole(database: Database, job: Job) -> None:
    """Check that events count 1, 2, 3 … and that no series has a gap or a double."""
    with database.read() as session:
        noted = events.list_events(session, job.id, limit=100_000)
        series = metrics.get_metrics(session, job.id, names=None, max_points=None).series
    assert [event.seq for event in noted] == list(range(1, len(noted) + 1))
    assert [event.type for event in noted].count("claimed") == job.attempt
    assert [event.type for event in noted].count("succeeded") == 1
    epochs = list(range(1, (job.progress.epochs or 0) + 1))
    assert series["val_loss"].epoch == epochs
    kept = [each.data["step"] for each in noted if each.data.get("kind") == "latest"]
    assert series["val_loss"].step == sorted(set(series["val_loss"].step))
    assert set(kept) >= set(series["val_loss"].step)  # and one more where it was drained
    assert len(kept) < len(series["val_loss"].step) + job.attempt
    assert series["train_loss"].step == sorted(set(series["train_loss"].step))


def processes_of(mark: str) -> list[int]:
    """List the processes whose environment has the mark, zombies excluded."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:  # it has just ended
                continue
            if mark.encode() in environment:
                found.append(int(folder.name))
    return found


def until(http: httpx.Client, path: str, status: int) -> httpx.Response:
    """Ask until the answer has a status."""

    def asked() -> httpx.Response | None:
        answer = http.get(path)
        return answer if answer.status_code == status else None

    return eventually(asked)
