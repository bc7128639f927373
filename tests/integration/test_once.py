"""What creates is done one time for its key: by a crowd at once, and by services that die."""

import random
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from service.client import Client, UnavailableError, UnreachableError
from service.domain.jobs import Job
from service.store import jobs as job_store
from service.store.engine import Database
from tests.eventually import eventually
from tests.integration.api_processes import Api, api_processes
from tests.integration.states import ELSEWHERE, a_job

MANY = 50
SERVICES = 3
CALLERS = 6
CALLS = 10


@pytest.fixture
def mine(client: Client) -> Iterator[dict[str, str]]:
    """A mark for the jobs of a test, which are cancelled at its end."""
    metadata = {"test": uuid4().hex}
    yield metadata
    for job in client.list_jobs(metadata=metadata).data:
        client.cancel_job(job.id)


def test_of_many_equal_posts_at_once_one_makes_a_job(
    http: httpx.Client, client: Client, mine: dict[str, str]
) -> None:
    body = {**a_job("eating", "rnn", ELSEWHERE), "metadata": mine}
    together = threading.Barrier(MANY)

    def post(_: int) -> httpx.Response:
        together.wait()
        while True:
            answer = http.post("/v1/jobs", json=body, headers={"Idempotency-Key": mine["test"]})
            if answer.status_code != 409:
                return answer
            assert answer.json()["code"] == "idempotency_in_progress"
            threading.Event().wait(0.05 * int(answer.headers["Retry-After"]))

    with ThreadPoolExecutor(MANY) as threads:
        answers = list(threads.map(post, range(MANY)))

    assert {answer.status_code for answer in answers} == {202}
    [job] = client.list_jobs(metadata=mine).data
    assert {answer.json()["id"] for answer in answers} == {job.id}
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1


def test_many_equal_calls_of_the_client_at_once_all_get_the_job(
    client: Client, mine: dict[str, str]
) -> None:
    body = {**a_job("eating", "rnn", ELSEWHERE), "metadata": mine}
    together = threading.Barrier(MANY)

    def create(number: int) -> Job:
        together.wait()
        if number % 2:
            return client.put_job(f"put-{mine['test']}", body)
        return client.create_job(body, idempotency_key=mine["test"])

    with ThreadPoolExecutor(MANY) as threads:
        jobs = list(threads.map(create, range(MANY)))

    found = {job.id for job in client.list_jobs(metadata=mine).data}
    assert {job.id for job in jobs} == found
    assert len(found) == 2  # one that was posted, and one that was put


class Caller:
    """Posts one job after the other, each with a key, and turns to the next service if one dies."""

    def __init__(self, number: int, services: list[Client]) -> None:
        self.made: dict[str, str] = {}
        self._keys = [f"key-{number}-{call}" for call in range(CALLS)]
        self._services = deque(services)

    def call_all(self) -> None:
        """Make all calls."""
        for key in self._keys:
            self.made[key] = eventually(lambda key=key: self._create(key))

    def _create(self, key: str) -> str | None:
        body = {**a_job("eating", "rnn", {}), "metadata": {"key": key}}
        try:
            return self._services[0].create_job(body, idempotency_key=key).id
        except (UnreachableError, UnavailableError):
            self._services.rotate(-1)
            return None


def answered(callers: list[Caller]) -> int:
    return sum(len(caller.made) for caller in callers)


def kill_what_has_not_answered(
    database: Database, apis: list[Api], callers: list[Caller], least: list[int]
) -> None:
    """Kill one service after the other, each while a job is there whose caller has no answer."""
    for api, first in zip(apis, least, strict=True):
        done = 0
        while done < CALLERS * CALLS:
            done = answered(callers)
            with database.read() as session:
                made = job_store.count_queued(session)
            if made > max(done, first):
                break
        api.kill()


def test_services_that_are_killed_leave_one_job_for_every_key(
    database: Database, tmp_path: Path
) -> None:
    least = sorted(random.Random().sample(range(CALLERS * CALLS), SERVICES - 1))
    with api_processes(database, tmp_path, SERVICES) as apis, ExitStack() as opened:
        services = [opened.enter_context(Client(api.url, retries=0)) for api in apis]
        callers = [Caller(number, services) for number in range(CALLERS)]
        with ThreadPoolExecutor(CALLERS + 1) as threads:
            doing = [threads.submit(caller.call_all) for caller in callers]
            doing.append(
                threads.submit(kill_what_has_not_answered, database, apis[:-1], callers, least)
            )
            for done in doing:
                done.result()
        jobs = services[-1].list_jobs(limit=100).data

    made = {key: job for caller in callers for key, job in caller.made.items()}
    assert {job.metadata["key"]: job.id for job in jobs} == made, f"killed after {least}"
    assert len(jobs) == CALLERS * CALLS
