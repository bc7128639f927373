"""What the doctor found, as the commands show it."""

import json
import shlex
import subprocess

import pytest
from pydantic import JsonValue

from service.cli.demo.service import ServiceProcess
from service.cli.doctor import fork_command
from service.client import Client
from tests.cli.commands import Commands
from tests.cli.conftest import LIMIT_SECONDS, Trainyard

CRAWLING = [
    *["--dataset", "digits", "--architecture", "mlp", "--optimizer", "sgd", "--epochs", "3"],
    *["--set", "optimizer.lr=1e-6", "--schedule", "constant"],
]


@pytest.fixture(scope="module")
def watched(
    ready: Commands, running: ServiceProcess, tmp_path_factory: pytest.TempPathFactory
) -> subprocess.CompletedProcess[str]:
    """A job whose learning rate is far too small, watched to its end."""
    folder = tmp_path_factory.mktemp("watched")
    return ready.run(("train", *CRAWLING), folder, TRAINYARD_URL=running.url)


def test_findings_are_printed_as_they_come_with_a_command_that_works(
    watched: subprocess.CompletedProcess[str], trainyard: Trainyard, client: Client
) -> None:
    assert watched.returncode == 0, watched.stderr
    job_id, *lines = watched.stdout.splitlines()
    [place] = [n for n, line in enumerate(lines) if line.startswith("lr_too_small ")]
    command = lines[place + 1].strip()
    assert command.startswith(f"trainyard jobs fork {job_id} --set optimizer.lr=")
    forked = trainyard(*shlex.split(command)[1:])
    assert forked.returncode == 0, forked.stderr
    fork = client.wait_for_job(forked.stdout.strip(), deadline=LIMIT_SECONDS)
    assert (fork.status, fork.parent_job) == ("succeeded", job_id)


def test_the_findings_of_a_job_are_listed_and_written_as_json(
    watched: subprocess.CompletedProcess[str], trainyard: Trainyard, trained: str
) -> None:
    job_id = watched.stdout.splitlines()[0]

    listed, written = (trainyard("jobs", "doctor", job_id, *more) for more in ([], ["--json"]))
    healthy = trainyard("jobs", "doctor", trained)

    assert listed.stdout.startswith("lr_too_small After 3 epochs")
    [event] = json.loads(written.stdout)["data"]
    assert event["data"]["code"] == "lr_too_small"
    assert fork_command(job_id, event["data"]["patch"]) in listed.stdout
    assert healthy.stdout == "Nothing was found.\n"


def test_events_of_one_type_are_shown(trainyard: Trainyard, trained: str) -> None:
    listed, followed = (
        trainyard("jobs", "events", trained, "--type", "epoch", *more) for more in ([], ["-f"])
    )
    assert listed.stdout == followed.stdout
    assert len(listed.stdout.splitlines()) == 1


def test_a_fork_command_is_what_a_shell_reads_as_the_patch() -> None:
    patch: dict[str, JsonValue] = {
        "training": {"early_stopping": {"metric": "a b"}, "epochs": 4},
        "x": {"type": "gelu"},
    }
    assert shlex.split(fork_command("job_1", patch)) == [
        *["trainyard", "jobs", "fork", "job_1"],
        *["--set", "training.early_stopping.metric=a b"],
        *["--set", "training.epochs=4"],
        *["--set", "x.type=gelu"],
    ]
