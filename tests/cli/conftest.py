"""A real service for the commands, started once, with a small model in it."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.cli.demo.service import ServiceProcess
from service.client import Client
from tests.cli.commands import Commands, commands

Trainyard = Callable[..., subprocess.CompletedProcess[str]]
LIMIT_SECONDS = 120


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """`trainyard up` on a free port with a new SQLite file."""
    with ServiceProcess(tmp_path_factory.mktemp("service"), TRAINYARD_NICE="0") as process:
        yield process


@pytest.fixture(scope="session")
def client(running: ServiceProcess) -> Iterator[Client]:
    """A client of the running service."""
    with Client(running.url) as client:
        yield client


@pytest.fixture(scope="session")
def trained(client: Client) -> str:
    """The id of a job that has succeeded; its model is called `tiny`."""
    job = client.create_job(
        {
            "model": "tiny",
            "dataset": "eating",
            "architecture": {"type": "rnn", "hidden_size": 8},
            "training": {"epochs": 1},
        }
    )
    ended = client.wait_for_job(job.id, deadline=LIMIT_SECONDS)
    assert ended.status == "succeeded", ended.error
    return job.id


@pytest.fixture(scope="session")
def ready() -> Iterator[Commands]:
    with commands() as ready:
        yield ready


@pytest.fixture
def trainyard(ready: Commands, running: ServiceProcess, tmp_path: Path) -> Trainyard:
    """Runs the command against the service, in an empty folder."""
    return lambda *arguments: ready.run(arguments, tmp_path, TRAINYARD_URL=running.url)
