"""What every command that runs the service begins with: a log on stderr, and the database."""

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager

from service.cli import output
from service.settings import Settings
from service.store import migrate as migrations
from service.store.engine import Database


def is_migrated(database: Database) -> bool:
    """Tell whether the schema is this version's; say what to do if not."""
    if migrations.is_current(database):
        return True
    output.print_error(
        f"{database.url_without_password} has another schema than this version needs. "
        "Run `trainyard migrate` first."
    )
    return False


@contextmanager
def opened(settings: Settings) -> Generator[Database]:
    """Log to stderr and open the database until the end of the block."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    # One line for every request of a client that polls, and for every step of a migration.
    for noisy in ("httpx", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    database = Database.open(settings.database_url)
    try:
        yield database
    finally:
        database.dispose()
