"""How the command starts: at once, without torch, and with exit codes that scripts can use."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.domain.keys import find_key, parse_keys
from tests.cli.commands import Commands, commands

NOWHERE = "http://127.0.0.1:1"
EVERYWHERE = "0.0.0.0"  # noqa: S104  refused is what is tested


def trainyard(*arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *python, "-m", "service", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def ready() -> Iterator[Commands]:
    with commands() as ready:
        yield ready


@pytest.mark.parametrize(
    "arguments", [["--help"], ["up", "--help"], ["demo", "--help"], ["jobs", "--url", NOWHERE]]
)
def test_client_commands_and_help_import_no_torch(arguments: list[str]) -> None:
    imported = trainyard(*arguments, python=("-X", "importtime")).stderr

    modules = {line.rsplit("|", 1)[-1].strip() for line in imported.splitlines() if "|" in line}
    assert "service.cli.serve" in modules
    assert modules.isdisjoint({"torch", "sqlalchemy", "fastapi", "uvicorn", "numpy"})
    assert modules.isdisjoint({"PIL", "pydantic_settings"})


def test_commands_of_the_service_import_no_client() -> None:
    imported = trainyard("api", "--help", python=("-X", "importtime")).stderr

    assert "service.cli.serve" in imported
    assert "httpx" not in imported


def test_the_package_imports_no_torch() -> None:
    code = "import sys, service.cli, service.client; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["jobs", "list"],
        ["jobs"],
        ["jobs", "cancel", "job_1"],
        ["datasets"],
        ["models"],
        ["watch", "job_1"],
        ["train", "--dataset", "eating", "--architecture", "rnn"],
        ["predict", "eating", "I like"],
    ],
)
def test_no_service_is_said_in_one_sentence_and_ends_with_1(
    ready: Commands, tmp_path: Path, arguments: list[str]
) -> None:
    ended = ready.run((*arguments, "--url", NOWHERE), tmp_path)

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"Error: No service answers at {NOWHERE}.")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["jobs", "show"],
        ["train", "--epochs", "many"],
        ["train", "--set", "nonsense"],
        ["predict", "clothes", "nowhere.png"],
        ["datasets", "add", "poems"],
        ["fly"],
        ["up", "--host", EVERYWHERE],
        ["api", "--host", "example.org"],
        ["migrate", "--database-url", "mysql://root:secret@yard"],
    ],
)
def test_a_wrong_command_line_ends_with_2_and_no_stack_trace(
    ready: Commands, tmp_path: Path, arguments: list[str]
) -> None:
    ended = ready.run(tuple(arguments), tmp_path)

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stderr


def test_binding_beyond_loopback_is_refused_with_the_reason() -> None:
    ended = trainyard("up", "--host", EVERYWHERE)

    assert ended.returncode == 2
    assert "trainyard keys new" in ended.stderr


def test_a_new_key_is_printed_once_with_the_entry_that_knows_it(
    ready: Commands, tmp_path: Path
) -> None:
    command = ("keys", "new", "ann", "--scope", "predict", "--json")
    made = json.loads(ready.run(command, tmp_path).stdout)
    [known] = parse_keys(made["entry"])

    assert find_key([known], made["key"]) == known
    assert (known.name, known.scope) == ("ann", "predict")
    assert made["key"] not in made["entry"]


def test_a_key_and_its_entry_are_printed_as_they_are() -> None:
    printed = trainyard("keys", "new").stdout

    assert re.fullmatch(r"key    ty_\S{43}\nentry  me:train:sha256:[0-9a-f]{64}\n", printed)


def test_the_worker_and_the_migration_import_no_torch() -> None:
    code = "import sys, service.cli.working; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
