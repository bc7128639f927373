"""Settings come from the environment, typed; what is wrong is said without repeating secrets."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from service.machine import cores
from service.settings import Settings, describe_errors, is_loopback


def test_a_variable_of_the_environment_becomes_a_typed_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRAINYARD_WORKERS", "3")
    monkeypatch.setenv("TRAINYARD_LEASE_SECONDS", "2.5")

    settings = Settings()

    assert (settings.workers, settings.lease_seconds) == (3, 2.5)


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINYARD_THREADS", "")

    assert Settings().most_threads == cores()
    assert Settings(workers=2 * cores()).most_threads == 1
    assert Settings(workers=2, threads=3).most_threads == 3


def test_jobs_step_back_unless_the_operator_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TRAINYARD_NICE", raising=False)

    assert Settings().nice == 19
    assert Settings(nice=0).nice == 0
    with pytest.raises(ValidationError):
        Settings(nice=-1)


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINYARD_PORT", "9000")

    assert Settings(port=0).port == 0


def test_what_a_command_line_gives_replaces_a_setting_and_is_checked() -> None:
    settings = Settings(workers=2)

    assert settings.replacing(port=0, host=None) == Settings(workers=2, port=0)
    with pytest.raises(ValidationError):
        settings.replacing(port=-1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "0"),
        ("WORKERS", "many"),
        ("THREADS", "-1"),
        ("PORT", "65536"),
        ("LEASE_SECONDS", "nan"),
        ("LEASE_SECONDS", "0"),
        ("MAX_DEATHS", "0"),
        ("API_KEYS", "just-a-key"),
        ("API_KEYS", "ann:root:key"),
        ("CORS_ORIGINS", "example.org"),
        ("CORS_ORIGINS", "https://example.org/"),
        ("CORS_ORIGINS", "*"),
        ("DATABASE_URL", "mysql://host/name"),
        ("DATASET_MIRROR", "ftp://host/data"),
        ("DATASET_MIRROR", "https://ann:secret@host/data"),
        ("DATASET_MIRROR", "https://host/data?token=secret"),
        ("DATABASE_URL", "sqlite:///:memory:"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"TRAINYARD_{name}", value)

    with pytest.raises(ValidationError) as refused:
        Settings()

    assert describe_errors(refused.value).startswith(f"TRAINYARD_{name}: ")


def test_a_password_reaches_neither_an_error_nor_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINYARD_DATABASE_URL", "mysql://yard:secret@host/name")
    with pytest.raises(ValidationError) as refused:
        Settings()
    right = Settings(database_url="postgresql://yard:secret@host/name")

    assert "secret" not in str(refused.value)
    assert "secret" not in describe_errors(refused.value)
    assert "secret" not in repr(right)


def test_a_key_reaches_neither_an_error_nor_a_log() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(api_keys="ann:root:secret")
    right = Settings(api_keys="ann:train:secret")

    assert "secret" not in str(refused.value)
    assert "secret" not in describe_errors(refused.value)
    assert "secret" not in repr(right)


def test_only_loopback_keys_or_the_word_insecure_keep_strangers_out() -> None:
    everywhere = "0.0.0.0"  # noqa: S104  what is tested

    assert Settings(host=everywhere).open_to_strangers
    assert not Settings().open_to_strangers
    assert not Settings(host=everywhere, insecure=True).open_to_strangers
    assert not Settings(host=everywhere, api_keys="ann:train:key").open_to_strangers


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.1", "::1"])
def test_these_hosts_are_loopback(host: str) -> None:
    assert is_loopback(host)


def test_every_setting_says_what_it_means_and_stands_in_the_readme() -> None:
    readme = Path(__file__).parent.parent.joinpath("README.md").read_text(encoding="utf-8")

    for name, meaning in Settings.variables().items():
        assert meaning.endswith((".", "cores.")), name
        assert f"`{name}`" in readme, name
