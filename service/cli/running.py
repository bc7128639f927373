"""`up` and `api`: build the parts of the service and hand them to each other.

Nothing here decides anything about jobs or requests.
"""

import gc
import logging
import threading
from collections.abc import Callable

from fastapi import FastAPI

from service.api.app import create_app
from service.api.parts import parts_of
from service.catalogue import Catalogue
from service.cli.opening import is_migrated, opened, reached
from service.cli.server import (
    Server,
    allow_many_connections,
    announce,
    draining,
    listen,
    refuse_address,
)
from service.prediction.engine import Predictor
from service.prediction.sessions import Sessions
from service.settings import Settings
from service.store import migrate as migrations
from service.store.engine import Database
from service.worker.main import run_worker

log = logging.getLogger("trainyard")


def up(settings: Settings) -> int:
    """Migrate, then run the API and one worker in this process until told to stop."""
    with opened(settings) as database:
        reached(lambda: migrations.upgrade(database))
        return _serve(settings, database, WorkerThread(settings))


def api(settings: Settings, *, processes: int = 1, ready: Callable[[str], None] = announce) -> int:
    """Run the API alone; of several `processes` this is one, and they share the port."""
    with opened(settings) as database:
        if not is_migrated(database):
            return 1
        return _serve(settings, database, None, processes=processes, ready=ready)


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
            self.failed = True
            log.exception("the worker ended")
        finally:
            if self.server is not None:
                self.server.should_exit = True


def _serve(
    settings: Settings,
    database: Database,
    worker: WorkerThread | None,
    *,
    processes: int = 1,
    ready: Callable[[str], None] = announce,
) -> int:
    try:
        listener = listen(settings.host, settings.port, shared=processes > 1)
    except OSError as error:
        refuse_address(error)
        return 1
    allow_many_connections()
    app = _build_app(settings, database, processes)
    gc.freeze()  # the paths and their models stay, too, like what was imported
    server = Server(app, listener, ready=ready)

    def drain() -> None:
        server.should_exit = True
        log.info("draining: requests in flight are answered, running jobs write a checkpoint")
        parts_of(app).waiter.close()  # who waits for a job would hold the end up
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


def _build_app(settings: Settings, database: Database, processes: int) -> FastAPI:
    catalogue = Catalogue.installed(
        max_parameters=settings.max_parameters, max_memory_bytes=settings.job_memory_bytes
    )
    predictor = Predictor(
        database,
        catalogue,
        memory_bytes=settings.prediction_memory_bytes // processes,
        processes=processes,
        sessions=Sessions(
            seconds=settings.session_seconds,
            memory_bytes=settings.session_memory_bytes // processes,
        ),
    )
    return create_app(
        settings=settings, database=database, catalogue=catalogue, predictor=predictor
    )
