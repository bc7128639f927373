"""What happened to a job, over HTTP: from several processes, across broken connections."""

import json
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import httpx
import pytest

from service.client import Client
from service.domain.events import Event
from service.domain.jobs import Job
from service.store.engine import Database
from tests.integration.api_processes import api_processes
from tests.worker.yard import Yard

STREAM = {"Accept": "text/event-stream"}
SHORT = {"dataset": "eating", "architecture": "rnn", "training": {"epochs": 2, "batch_size": 256}}


@pytest.fixture
def yard(database: Database, tmp_path: Path) -> Iterator[Yard]:
    """A database of its own, for workers and services apart."""
    yard = Yard(database, tmp_path)
    yield yard
    yard.close()


def frames(text: str) -> Iterator[dict[str, str]]:
    """Read a whole stream frame by frame, without the client's own reader."""
    for frame in text.split("\n\n"):
        fields = [line.split(": ", 1) for line in frame.splitlines() if not line.startswith(":")]
        if fields:
            yield dict(fields)


@pytest.fixture(scope="module")
def ended(client: Client) -> Job:
    """A job that has ended."""
    return client.wait_for_job(client.create_job(SHORT).id)


def test_a_stream_says_what_the_list_says_and_ends(
    http: httpx.Client, client: Client, ended: Job
) -> None:
    path = f"/v1/jobs/{ended.id}/events"

    stream = http.get(path, headers=STREAM)
    listed = client.list_events(ended.id, limit=100)

    told = list(frames(stream.text))
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["cache-control"] == "no-store"
    assert [json.loads(each["data"]) for each in told if "id" in each] == [
        json.loads(event.model_dump_json()) for event in listed.data
    ]
    assert told[-1] == {"event": "end", "data": '{"status":"succeeded"}'}
    types = [event.type for event in listed.data]
    assert types[:3] == ["queued", "claimed", "started"]
    assert types.count("epoch") == 2
    assert types[-1] == "succeeded"


def test_who_comes_again_goes_on_and_at_the_end_is_told_to_stop(
    http: httpx.Client, client: Client, ended: Job
) -> None:
    newest = client.list_events(ended.id, limit=100).last_id
    path = f"/v1/jobs/{ended.id}/events"

    rest = http.get(path, headers={**STREAM, "Last-Event-ID": str((newest or 0) - 2)})
    after_all = http.get(path, headers={**STREAM, "Last-Event-ID": str(newest)})

    ids = [each["id"] for each in frames(rest.text) if "id" in each]
    assert ids == [str((newest or 0) - 1), str(newest)]
    assert (after_all.status_code, after_all.content) == (204, b"")


def test_a_replay_ends_and_has_everything(client: Client, ended: Job) -> None:
    listed = client.list_events(ended.id, limit=100).data
    assert list(client.events(ended.id, speed=100)) == listed


def test_listeners_at_two_services_hear_the_same_though_one_is_killed(
    yard: Yard, tmp_path: Path
) -> None:
    with api_processes(yard.database, tmp_path, 2) as (first, second), Client(first.url) as here:
        job = yard.accept(max_steps=60)
        heard: list[Event] = []
        listening = threading.Thread(target=lambda: heard.extend(here.events(job.id)))
        listening.start()
        with Client(second.url) as there:
            seen = list(islice(there.events(job.id), 1))
            second.kill()
        yard.start_worker()
        seen += here.events(job.id, after=seen[-1].seq)
        listening.join(timeout=60)
    assert seen == heard
    assert [event.seq for event in heard] == list(range(1, len(heard) + 1))
    assert heard[-1].type == "succeeded"
