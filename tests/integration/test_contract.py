"""The service does what /openapi.json says, whatever is sent: schemathesis with all its checks.

It asks an API without a worker, so that nothing that it thinks of is trained.
"""

import json
import re
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.client import Client
from tests.integration.conftest import new_postgresql, running

REPOSITORY = Path(__file__).parents[2]
CONFIGURATION = Path(__file__).parent / "contract" / "schemathesis.toml"
SEED = 20
FEW = 10
PHASES = "examples,fuzzing,stateful"
"""Of `make test`: every bound of every field, the phase `coverage`, takes as long as these do."""

MANY = 200
JOURNEY = {
    ("POST", "/v1/jobs", 202),
    ("GET", "/v1/jobs/{job_id}", 200),
    ("POST", "/v1/jobs/{job_id}/pause", 200),
    ("POST", "/v1/jobs/{job_id}/resume", 200),
    ("POST", "/v1/jobs/{job_id}/cancel", 200),
    ("DELETE", "/v1/jobs/{job_id}", 204),
    ("POST", "/v1/datasets", 201),
    ("DELETE", "/v1/datasets/{name}", 204),
}
"""What the links of the document must lead to: operation and status."""


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
)
def contract(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of an API without a worker, with the models `eating` and `digits`."""
    folder = tmp_path_factory.mktemp(f"contract-{request.param}")
    if request.param == "sqlite":
        yield from asked(f"sqlite:///{folder}/trainyard.db", folder)
        return
    with new_postgresql(request.getfixturevalue("postgresql_url"), "contract") as url:
        yield from asked(url, folder)


def asked(database_url: str, folder: Path) -> Iterator[str]:
    with running(database_url, folder) as url, Client(url) as client:
        for name, architecture in (("eating", "rnn"), ("digits", "mlp")):
            quick = {"dataset": name, "architecture": architecture, "training": {"max_steps": 2}}
            assert client.wait_for_job(client.create_job({**quick, "model": name}).id).result
    small = {"TRAINYARD_MAX_PARAMETERS": "1000000"}
    with running(database_url, folder, command="api", **small) as url:
        yield url


def schemathesis(url: str, report: Path, *options: str) -> Counter[tuple[str, str, int]]:
    """Let it test all operations; return how often each of them answered what."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "run"]
    done = subprocess.run(
        [
            *command,
            f"{url}/openapi.json",
            *("--checks", "all", "--no-color", "--report-har-path", str(report), *options),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(options)}\n{done.stdout}\n{done.stderr}"
    assert re.search(r"Selected: (\d+)/\1\s+Tested: \1\s", done.stdout)
    return Counter(answers(json.loads(report.read_text())))


def answers(har: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    for entry in har["log"]["entries"]:
        request = entry["request"]
        path = re.sub(r"https?://[^/]+", "", request["url"]).partition("?")[0]
        path = re.sub(r"^/v1/jobs/[^/]+", "/v1/jobs/{job_id}", path)
        path = re.sub(r"^/v1/datasets/[^/]+", "/v1/datasets/{name}", path)
        yield request["method"], path, entry["response"]["status"]


def test_nothing_breaks_the_contract_and_its_links_lead_on(contract: str, tmp_path: Path) -> None:
    options = ("--seed", str(SEED), "--max-examples", str(FEW), "--phases", PHASES)
    answered = schemathesis(contract, tmp_path / "answers.har", *options)
    assert JOURNEY - set(answered) == set()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_seed_breaks_the_contract(contract: str, tmp_path: Path) -> None:
    seed = secrets.randbelow(2**32)  # shown when the test fails
    options = ("--seed", str(seed), "--max-examples", str(MANY))
    assert schemathesis(contract, tmp_path / "answers.har", *options)
