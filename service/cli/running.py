"""Builds the parts of the service and hands them to each other: the one composition root.

Nothing here decides anything about jobs or requests.
"""

import logging
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

from fastapi import FastAPI

from service.api.app import create_app
from service.catalogue import Catalogue
from service.cli import output
from service.cli.server import Server, draining, listen
from service.prediction.engine import Predictor
from service.settings import Settings
from service.store import migrate as migrations
from service.store.engine import Database
from service.worker.main import run_worker

log = logging.getLogger("trainyard")


def up(settings: Settings) -> int:
    """Migrate, then run the API and one worker in this process until told to stop."""
    with _opened(settings) as database:
        migrations.upgrade(database)
        return _serve(settings, database, WorkerThread(settings))


def api(settings: Settings) -> int:
    """Run the API alone."""
    with _opened(settings) as database:
        return _serve(settings, database, None) if _is_migrated(database) else 1


def worker(settings: Settings) -> int:
    """Run a worker alone, in the main thread."""
    stop = threading.Event()
    with _opened(settings) as database:
        if not _is_migrated(database):
            return 1
    with draining(stop.set):
        run_worker(settings, stop=stop)
    return 0


def migrate(settings: Settings) -> None:
    """Bring the database to this version's schema."""
    with _opened(settings) as database:
        migrations.upgrade(database)
        output.results.print(f"{database.url_without_password} is up to date.", markup=False)


class WorkerThread:
    """The worker beside the server. When it ends unasked, the whole process shall end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker")
        self.failed = False
        self.server: Server | None = None

    def start(self) -> None:
        """Begin to claim jobs."""
        self._thread.start()

    def drain(self) -> None:
        """Tell running jobs to write a checkpoint and go back to the queue."""
        self._stop.set()

    def join(self) -> None:
        """Wait until the jobs are drained."""
        self._thread.join()

    def _run(self) -> None:
        try:
            run_worker(self._settings, stop=self._stop)
        except Exception:
            # The edge of a thread: nobody above would see it, and jobs would wait for ever.
            log.exception("the worker ended")
            self.failed = True
        finally:
            if self.server is not None:
                self.server.should_exit = True


def _serve(settings: Settings, database: Database, worker: WorkerThread | None) -> int:
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        output.print_error(f"{error.strerror}. Choose another with --port, or 0 for a free one.")
        return 1
    server = Server(_build_app(settings, database), listener)

    def drain() -> None:
        log.info("draining: requests in flight are answered, running jobs write a checkpoint")
        server.should_exit = True
        if worker is not None:
            worker.drain()

    with draining(drain):
        if worker is not None:
            worker.server = server
            worker.start()
        try:
            server.serve_until_told()
        finally:
            if worker is not None:
                worker.drain()
                worker.join()
    return 1 if worker is not None and worker.failed else 0


def _build_app(settings: Settings, database: Database) -> FastAPI:
    catalogue = Catalogue.installed(max_parameters=settings.max_parameters)
    predictor = Predictor(database, catalogue, memory_bytes=settings.prediction_memory_bytes)
    return create_app(
        settings=settings, database=database, catalogue=catalogue, predictor=predictor
    )


def _is_migrated(database: Database) -> bool:
    if migrations.is_current(database):
        return True
    output.print_error(
        f"{database.url_without_password} has another schema than this version needs. "
        "Run `trainyard migrate` first."
    )
    return False


@contextmanager
def _opened(settings: Settings) -> Generator[Database]:
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
