"""The Dockerfile and docker-compose.yml fit the service, as far as reading them can tell."""

import re
import subprocess
import sys
import tomllib
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from ruamel.yaml import YAML

from service.cli.server import GRACE_SECONDS
from service.settings import Settings
from service.store import jobs as job_store
from service.store import migrate
from service.store.engine import Database
from service.worker.main import DRAIN_FOR
from tests.builders import a_queued_job
from tests.dockerfile import is_ignored, read_ignored, read_stages

ROOT = Path(__file__).parent.parent
BUILDER, IMAGE = read_stages(ROOT / "Dockerfile")
IGNORED = read_ignored(ROOT / ".dockerignore")
COMPOSE: Any = YAML(typ="safe", pure=True).load(ROOT / "docker-compose.yml")  # pyright: ignore[reportUnknownMemberType]
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EVERY_SIGN = "p@ss:/w%rd #?'"
DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
INCREMENTAL = 2  # as SQLite numbers it
OURS = ["migrate", "api", "worker"]
COPIED = [
    source
    for stage in (BUILDER, IMAGE)
    for each in stage.all_of("COPY")
    if "from" not in each.flags
    for source in each.words[:-1]
]


@pytest.mark.parametrize("source", COPIED)
def test_what_the_image_copies_exists_and_reaches_the_build(source: str) -> None:
    assert (ROOT / source).exists()
    assert not is_ignored(PurePosixPath(source), IGNORED)


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        ".venv/bin/python",
        "trainyard.db",
        "docs/rnn.md",
        "tests/builders.py",
        "service/store/__pycache__",
        "service/__pycache__/settings.cpython-312.pyc",
    ],
)
def test_secrets_data_and_leftovers_do_not_reach_the_build(path: str) -> None:
    assert is_ignored(PurePosixPath(path), IGNORED)


def test_everything_that_the_wheel_is_built_from_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], project["project"]["readme"]}
    assert {*COPIED} == needed | {"pyproject.toml"}


def test_the_image_runs_as_a_numbered_user_without_rights() -> None:
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", IMAGE.last("USER").text)


def test_every_setting_of_the_image_is_a_setting() -> None:
    given = {name for name in IMAGE.environment if name.startswith("TRAINYARD_")}
    assert given
    assert given <= {*Settings.variables()}


def test_the_image_keeps_its_data_in_its_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in IMAGE.environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.database_url.startswith(f"sqlite:///{IMAGE.last('VOLUME').text}/")
    assert str(settings.port) == IMAGE.last("EXPOSE").text


def test_the_image_takes_the_torch_of_the_makefile_from_the_index_of_cpu_builds() -> None:
    arguments = dict(each.text.split("=", 1) for each in BUILDER.all_of("ARG"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"TORCH ?= torch=={arguments['TORCH']}\n" in makefile
    build: str = SERVICES["api"]["build"]["args"]["TORCH_INDEX"]
    assert build == f"${{TORCH_INDEX-{arguments['TORCH_INDEX']}}}"


def test_the_image_and_every_service_run_commands_that_exist() -> None:
    commands = {*IMAGE.last("CMD").words, *(SERVICES[name]["command"] for name in OURS)}
    assert IMAGE.last("ENTRYPOINT").words == ["trainyard"]
    for command in commands:
        help_command = [sys.executable, "-m", "service", command, "--help"]
        subprocess.run(help_command, cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_a_service_is_a_setting(name: str) -> None:
    assert {*SERVICES[name]["environment"]} <= {*Settings.variables(), "PGPASSWORD"}


@pytest.mark.parametrize("name", OURS)
def test_a_service_has_a_read_only_root_and_no_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True


@pytest.mark.parametrize("name", OURS)
def test_a_service_gets_longer_to_end_than_a_drain_takes(name: str) -> None:
    period = re.fullmatch(r"(\d+)s", SERVICES[name]["stop_grace_period"])
    assert period is not None
    drain = timedelta(seconds=GRACE_SECONDS) + DRAIN_FOR
    assert timedelta(seconds=int(period[1])) > drain


def test_compose_refuses_to_start_without_secrets_and_has_none_of_its_own() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for secret in ("POSTGRES_PASSWORD", "TRAINYARD_API_KEYS"):
        assert re.findall(rf"\$\{{{secret}(.)", text) == [":"] * text.count(f"${{{secret}")
        assert f"${{{secret}:?" in text


def test_migrations_are_over_before_anything_asks_for_them() -> None:
    for name in ("api", "worker"):
        needed = SERVICES[name]["depends_on"]["migrate"]["condition"]
        assert needed == "service_completed_successfully"
    assert SERVICES["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert SERVICES["migrate"]["restart"] == "no"


def test_the_guide_knows_the_services_of_compose() -> None:
    commands = re.findall(r"docker compose (?:logs --follow|stop|exec -T) (.+)", DEPLOY)
    named = {word for words in commands for word in words.split() if word in SERVICES}
    assert len(commands) == 4
    assert named == {"api", "worker", "postgres"}


def test_the_backup_of_the_guide_is_whole_though_the_service_writes(
    sqlite_database: Database, tmp_path: Path
) -> None:
    job = a_queued_job(sqlite_database)
    (script,) = re.findall(r'python -c "(.*VACUUM INTO.*)"', DEPLOY)
    subprocess.run(["bash", "-c", f'{sys.executable} -c "{script}"'], cwd=tmp_path, check=True)

    copy = Database.open(f"sqlite:///{tmp_path / 'backup.db'}")
    migrate.upgrade(copy)
    with copy.read() as session:
        assert job_store.get_job(session, job.id).id == job.id
        assert session.scalars(sa.text("PRAGMA auto_vacuum")).one() == INCREMENTAL
        assert session.scalars(sa.text("PRAGMA journal_mode")).one() == "wal"
    copy.dispose()


def test_a_database_url_without_password_takes_it_from_pgpassword(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = sa.make_url(postgresql_url)
    url = sa.URL.create("postgresql", "guest", database="of_guest", query=given.query)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        quoted = EVERY_SIGN.replace("'", "''")
        connection.execute(f"CREATE ROLE guest LOGIN PASSWORD '{quoted}'".encode())
        connection.execute("CREATE DATABASE of_guest OWNER guest")
        _ask_for_a_password(connection, "guest")

    monkeypatch.setenv("PGPASSWORD", EVERY_SIGN)
    database = Database.open(str(url))
    migrate.upgrade(database)
    assert migrate.is_current(database)
    database.dispose()

    monkeypatch.setenv("PGPASSWORD", "another")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(str(url))


def _ask_for_a_password(connection: psycopg.Connection, role: str) -> None:
    """Have the server, which trusts everybody on its socket, ask one role for its password."""
    row = connection.execute("SHOW hba_file").fetchone()
    assert row is not None
    rules = Path(row[0])
    rules.write_text(f"local all {role} scram-sha-256\n{rules.read_text(encoding='utf-8')}")
    connection.execute("SELECT pg_reload_conf()")
