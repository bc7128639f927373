"""The shipped clients against the real service."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from service.client import (
    AsyncClient,
    Client,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TrainyardError,
    UnauthorizedError,
)
from service.domain.jobs import Job, Plan
from service.domain.predictions import PredictResponse, TokenCandidate
from tests.integration.conftest import running

DEADLINE = 120
TINY = {"dataset": "eating", "architecture": "rnn", "training": {"max_steps": 5}}
README = Path(__file__).parent.parent.parent / "README.md"
ResultT = TypeVar("ResultT")


def run(doing: Coroutine[Any, Any, ResultT]) -> ResultT:
    async def in_time() -> ResultT:
        async with asyncio.timeout(DEADLINE):
            return await doing

    return asyncio.run(in_time())


def best_token(answer: PredictResponse) -> str:
    [prediction] = answer.predictions
    best = prediction.candidates[0]
    assert isinstance(best, TokenCandidate)
    return best.token


@pytest.fixture(scope="module")
def trained(client: Client) -> Job:
    """A job that has succeeded; its model is called `eating`."""
    job = client.create_job({**TINY, "model": "eating"})
    return client.wait_for_job(job.id, deadline=DEADLINE)


def test_the_asynchronous_client_trains_waits_and_predicts(service: str) -> None:
    async def train_and_ask() -> tuple[list[str], Job, list[PredictResponse]]:
        async with AsyncClient(service) as client:
            started = await client.create_job(TINY)
            seen: list[str] = []
            ended = await client.wait_for_job(
                started.id, progress=lambda job: seen.append(job.status), deadline=DEADLINE
            )
            answers = await asyncio.gather(
                *[client.predict(started.id, ["I like eating"], top_k=3) for _ in range(20)]
            )
            return seen, ended, answers

    seen, ended, answers = run(train_and_ask())

    assert ended.status == seen[-1] == "succeeded", ended.error
    [best] = {best_token(answer) for answer in answers}
    assert best
    assert len(answers) == 20


def test_both_clients_read_the_same(service: str, client: Client, trained: Job) -> None:
    async def read() -> list[object]:
        async with AsyncClient(service) as awaited:
            return [
                await awaited.get_job(trained.id),
                await awaited.get_metrics(trained.id, names=["train_loss"]),
                await awaited.get_metrics_csv(trained.id),
                await awaited.list_checkpoints(trained.id),
                await awaited.get_model("eating"),
                await awaited.architectures(),
                (await awaited.plan_job(TINY)).spec,
            ]

    assert run(read()) == [
        client.get_job(trained.id),
        client.get_metrics(trained.id, names=["train_loss"]),
        client.get_metrics_csv(trained.id),
        client.list_checkpoints(trained.id),
        client.get_model("eating"),
        client.architectures(),
        client.plan_job(TINY).spec,
    ]


def test_the_asynchronous_client_uploads_a_file_and_deletes_it(
    service: str, tmp_path: Path
) -> None:
    file = tmp_path / "poems.txt"
    file.write_text("roses are red\nviolets are blue\n" * 5_000, encoding="utf-8")
    spec = {"name": "awaited-poems", "type": "text"}

    async def upload_twice() -> tuple[str, str]:
        async with AsyncClient(service) as client:
            first = await client.add_dataset(spec, {"file": file})
            second = await client.add_dataset(spec, {"file": file.read_bytes()})
            await client.delete_dataset(first.name)
            with pytest.raises(NotFoundError):
                await client.get_dataset(first.name)
            return first.id, second.id

    first, second = run(upload_twice())

    assert first == second


def test_the_asynchronous_client_raises_what_the_service_refuses(
    service: str, trained: Job
) -> None:
    async def be_refused() -> InvalidError:
        async with AsyncClient(service) as client:
            with pytest.raises(ConflictError):
                await client.pause_job(trained.id)
            with pytest.raises(InvalidError) as refused:
                await client.create_job({**TINY, "training": {"epochs": 0, "seed": -1}})
            return refused.value

    error = run(be_refused())

    assert error.code == "invalid_request"
    assert {each.pointer for each in error.errors} == {"/training/epochs", "/training/seed"}
    assert error.request_id


def test_the_python_of_the_readme_runs(service: str, trained: Job) -> None:
    [script] = re.findall(
        r"^```python\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    here = script.replace("http://127.0.0.1:8000", service)

    done = subprocess.run(
        [sys.executable, "-c", here], capture_output=True, text=True, timeout=DEADLINE, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("TokenCandidate") == 6


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[str]:
    """An API that wants keys; nothing is trained there."""
    folder = tmp_path_factory.mktemp("guarded")
    file = shutil.copyfile(sqlite_template, folder / "trainyard.db")
    keys = "ann:train:ty_train,bob:predict:ty_predict"
    with running(f"sqlite:///{file}", folder, command="api", TRAINYARD_API_KEYS=keys) as url:
        yield url


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (None, UnauthorizedError),
        ("ty_other", UnauthorizedError),
        ("ty_predict", ForbiddenError),
        ("ty_train", None),
    ],
)
def test_both_clients_are_let_in_by_their_key(
    guarded: str, key: str | None, error: type[TrainyardError] | None
) -> None:
    async def plan() -> Plan:
        async with AsyncClient(guarded, api_key=key) as awaited:
            return await awaited.plan_job(TINY)

    with Client(guarded, api_key=key) as plain:
        if error is None:
            assert run(plan()).spec == plain.plan_job(TINY).spec
            return
        with pytest.raises(error):
            plain.plan_job(TINY)
        with pytest.raises(error):
            run(plan())


@pytest.mark.parametrize(("key", "code"), [("", 1), ("ty_train", 0)])
def test_a_command_takes_its_key_from_the_environment(guarded: str, key: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service", "jobs"],
        env={"TRAINYARD_URL": guarded, "TRAINYARD_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )

    assert done.returncode == code
    assert ("TRAINYARD_API_KEY" in done.stderr) is (code == 1)
