"""Bring a database to the newest schema. Any number of processes may do it at once."""

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from service.store.engine import Database


def upgrade(database: Database, revision: str = "head") -> None:
    """Migrate to `revision`; one process does, the others wait and find nothing left to do."""
    with database.exclusive_connection() as connection:
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Migrate back to `revision`, or to nothing at all with `base`. Data of newer tables go."""
    with database.exclusive_connection() as connection:
        command.downgrade(_config(connection), revision)


def is_current(database: Database) -> bool:
    """Tell whether the schema is the newest this release knows."""
    with database.read() as session:
        context = MigrationContext.configure(session.connection())
        return set(context.get_current_heads()) == _newest()


@cache
def _newest() -> set[str]:
    return set(ScriptDirectory.from_config(_config(None)).get_heads())


def migrations_folder() -> Path:
    """Find the migrations: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def _config(connection: sa.Connection | None) -> Config:
    config = Config()
    # configparser reads % as its own sign.
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
