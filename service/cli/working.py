"""`worker` and `migrate`: the commands of the service that need no torch in their own process."""

import threading

from service.cli import output
from service.cli.opening import is_migrated, opened, reached
from service.cli.server import draining
from service.settings import Settings
from service.store import migrate as migrations
from service.worker.main import run_worker


def worker(settings: Settings) -> int:
    """Run a worker alone, in the main thread."""
    stop = threading.Event()
    with opened(settings) as database:
        if not is_migrated(database):
            return 1
    with draining(stop.set):
        run_worker(settings, stop=stop)
    return 0


def migrate(settings: Settings) -> None:
    """Bring the database to this version's schema."""
    with opened(settings) as database:
        reached(lambda: migrations.upgrade(database))
        output.results.print(f"{database.url_without_password} is up to date.", markup=False)
