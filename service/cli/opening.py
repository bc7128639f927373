"""What every command that runs the service begins with: a log on stderr, and the database."""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

from service.cli import output
from service.cli.logs import GatheringHandler
from service.domain.problems import Problem
from service.settings import Settings
from service.store import migrate as migrations
from service.store.engine import Database
from service.store.patience import patiently

ResultT = TypeVar("ResultT")
ANSWERS_WITHIN = timedelta(seconds=5)
"""How long a request waits for a lock: one that waits holds a thread, and its client can wait."""
CONNECTIONS = 48
"""One for each of the 40 threads of requests, and some for predictions, probes and who waits."""
STARTS_WITHIN = timedelta(seconds=60)


def is_migrated(database: Database) -> bool:
    """Tell whether the schema is this version's; say what to do if not."""
    if reached(lambda: migrations.is_current(database)):
        return True
    output.print_error(
        f"{database.url_without_password} has another schema than this version needs. "
        "Run `trainyard migrate` first."
    )
    return False


def reached(do: Callable[[], ResultT]) -> ResultT:
    """Do what every start needs the database for; wait for one that is still coming up.

    Ends the process in plain words when it does not come.
    """
    try:
        return patiently(do, at_most=STARTS_WITHIN)
    except Problem as problem:
        output.print_error(problem.detail)
        raise SystemExit(1) from problem


@contextmanager
def opened(settings: Settings) -> Generator[Database]:
    """Log to stderr and open the database until the end of the block."""
    logging.basicConfig(
        handlers=[GatheringHandler("trainyard.requests")],
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    # One line for every request of a client that polls, and for every step of a migration.
    for noisy in ("httpx", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    database = Database.open(settings.database_url, pool_size=CONNECTIONS, wait_for=ANSWERS_WITHIN)
    try:
        yield database
    finally:
        database.dispose()
