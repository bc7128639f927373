"""`trainyard api --processes N`: several servers behind one port, none of them left behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from service.store.engine import Database
from tests.cli.conftest import LIMIT_SECONDS
from tests.eventually import eventually


class Several:
    """The first process, and what it has said."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path, database_url: str) -> None:
        assert process.stdout is not None
        self.process = process
        self.log = log
        self.database_url = database_url
        self.url = process.stdout.readline().strip()

    def pids(self) -> list[int]:
        """Return all that have ever answered, in their order."""
        return [int(pid) for pid in re.findall(r"API process (\d+) answers", self.log.read_text())]


@pytest.fixture
def two(sqlite_database: Database, tmp_path: Path) -> Generator[Several]:
    url = sqlite_database.engine.url.render_as_string(hide_password=False)
    log = tmp_path / "several.log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "service", "api", "--processes", "2", "--port", "0"],
            env={**os.environ, "TRAINYARD_DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        several = Several(process, log, url)
        yield several
        for pid in (process.pid, *several.pids()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_one_that_dies_is_replaced_and_sigterm_ends_all(two: Several) -> None:
    first, second = two.pids()
    os.kill(first, signal.SIGKILL)

    eventually(lambda: len(two.pids()) == 3)
    assert is_there(second)
    assert httpx.get(f"{two.url}/livez").status_code == 200

    two.process.terminate()
    assert two.process.wait(LIMIT_SECONDS) == 0
    assert not any(map(is_there, two.pids()))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_none_outlives_the_first_process(two: Several) -> None:
    two.process.kill()

    eventually(lambda: not any(map(is_there, two.pids())))


def test_a_port_that_another_service_has_is_not_shared(two: Several) -> None:
    port = two.url.rpartition(":")[2]
    other = subprocess.run(
        [sys.executable, "-m", "service", "api", "--processes", "2", "--port", port],
        env={**os.environ, "TRAINYARD_DATABASE_URL": two.database_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )

    assert other.returncode == 1
    assert f"port {port}: Address already in use" in " ".join(other.stderr.split())
