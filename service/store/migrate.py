"""Bring a database to the newest schema. Any number of processes may do it at once.

Alembic is imported when there is something to migrate: a server that looks whether its database is
current starts a fifth of a second sooner without.
"""
# ruff: noqa: PLC0415

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from service.store.engine import Database

if TYPE_CHECKING:
    from alembic.config import Config

_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String()))


def upgrade(database: Database, revision: str = "head") -> None:
    """Migrate to `revision`; one process does, the others wait and find nothing left to do."""
    from alembic import command

    with database.exclusive_connection() as connection:
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Migrate back to `revision`, or to nothing at all with `base`. Data of newer tables go."""
    from alembic import command

    with database.exclusive_connection() as connection:
        command.downgrade(_config(connection), revision)


def is_current(database: Database) -> bool:
    """Tell whether the schema is the newest this release knows."""
    with database.read() as session:
        if not sa.inspect(session.connection()).has_table(_VERSION.name):
            return False
        return [*session.scalars(sa.select(_VERSION.c.version_num))] == [newest()]


@cache
def newest() -> str:
    """Return the newest revision: the files are called `0009_origins.py`, in their order."""
    files = (migrations_folder() / "versions").glob("[0-9]*.py")
    return max(file.name.partition("_")[0] for file in files)


def migrations_folder() -> Path:
    """Find the migrations: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def _config(connection: sa.Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    # configparser reads % as its own sign.
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
