"""Every line of the README that a reader may type is run, as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A new service, as `make up` starts it, and the environment of a shell that talks to it."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "docs", folder / "docs")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TRAINYARD_DATABASE_URL": f"sqlite:///{folder}/trainyard.db",
    }
    command = [sys.executable, "-m", "service", "up", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        yield {**environment, "TRAINYARD_URL": url, "PWD": str(folder)}
        process.terminate()
        process.wait(timeout=60)


def script_of(blocks: list[str]) -> str:
    """Join what talks to the service; a failing curl or command ends it."""
    talking = [block for block in blocks if not block.startswith("make")]
    # A reader sees an HTTP error in the answer; here it must end the script.
    return "set -euo pipefail\n" + "".join(talking).replace("curl -sS", "curl -sS --fail-with-body")


def test_the_readme_has_commands() -> None:
    assert len(BLOCKS) >= 8


def test_every_curl_and_trainyard_line_of_the_readme_works(reader: dict[str, str]) -> None:
    script = script_of(BLOCKS).replace(ADDRESS, reader["TRAINYARD_URL"])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=reader["PWD"],
        env=reader,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert '"candidates"' in done.stdout


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)))
)
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0
