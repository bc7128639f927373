"""Every command's client is made in one place, with the key of the environment."""

import re
from pathlib import Path

import pytest

from service.cli import clients, refusals
from service.client import UnauthorizedError

COMMANDS = sorted((Path(clients.__file__).parent).glob("*.py"))


def test_the_key_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINYARD_API_KEY", "ty_secret")

    with clients.connect("http://yard") as client:
        headers = client._http.headers  # pyright: ignore[reportPrivateUsage]

    assert headers["Authorization"] == "Bearer ty_secret"


def test_without_a_key_in_the_environment_none_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINYARD_API_KEY", "")

    with clients.connect("http://yard") as client:
        headers = client._http.headers  # pyright: ignore[reportPrivateUsage]

    assert "Authorization" not in headers


@pytest.mark.parametrize("module", COMMANDS, ids=lambda path: path.stem)
def test_no_command_makes_a_client_of_its_own(module: Path) -> None:
    made = re.findall(r"\bClient\(", module.read_text(encoding="utf-8"))

    assert len(made) == (1 if module.stem == "clients" else 0)


def test_who_has_no_key_is_told_where_to_put_it(capsys: pytest.CaptureFixture[str]) -> None:
    refusals.print_problem(UnauthorizedError("Send a key.", status=401))

    assert "TRAINYARD_API_KEY" in capsys.readouterr().err
