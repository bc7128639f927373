"""A worker: takes jobs from the queue, has children train them, and drains when told to stop."""

import logging
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

from service.domain.environments import offers_threads
from service.domain.jobs import WorkerId
from service.domain.workers import NewWorker
from service.settings import Settings
from service.store import blobs, idempotency
from service.store import claims as claim_store
from service.store.engine import Database, database_now
from service.store.ids import new_id
from service.worker import forkserver
from service.worker.abilities import Abilities, Downloads
from service.worker.outage import Outage
from service.worker.supervisor import CHILD_MODULE, Limits, Supervisor

logger = logging.getLogger(__name__)

LOOK_AGAIN = 0.5  # while the database is away
LOOK_EVERY = 0.1  # how long a new job waits at most for an idle worker
CLEAN_EVERY = 60.0
DRAIN_FOR = timedelta(seconds=30)
START_FOR = timedelta(minutes=5)  # torch from a cold disk
FORGET_AFTER = timedelta(hours=1)  # a worker that was not heard of
CONNECTIONS = 4


class WorkerCannotStart(Exception):  # noqa: N818
    """No child could say what this machine can do; the log has its reason."""


def run_worker(
    settings: Settings,
    *,
    stop: threading.Event,
    kill: threading.Event | None = None,
    drain_for: timedelta = DRAIN_FOR,
) -> None:
    """Work until `stop` is set, then drain: running jobs write a checkpoint and are queued again.

    What has not stopped after `drain_for`, or when `kill` is set, is killed; those jobs are queued
    again too. The database must be migrated. Raises WorkerCannotStart.
    """
    kill = kill or threading.Event()
    database = Database.open(settings.database_url, pool_size=CONNECTIONS)
    try:
        abilities = find_abilities(stop)
        if abilities is None:
            return
        limits = Limits(
            database_url=settings.database_url,
            workers=settings.workers,
            threads=settings.most_threads,
            yields=settings.threads is None,
            nice=settings.nice,
            job_memory_bytes=settings.job_memory_bytes,
            lease_for=timedelta(seconds=settings.lease_seconds),
            max_deaths=settings.max_deaths,
            downloads=Downloads(settings.dataset_mirror, settings.max_dataset_bytes),
        )
        worker = _new_worker(abilities, settings)
        supervisor = Supervisor(database, worker, limits)
        with _leaving(database, worker), _cleaning(database, stop):
            try:
                _work(supervisor, stop)
                _drain(supervisor, kill, drain_for)
            finally:
                # Children ignore the SIGTERM that multiprocessing sends at exit, and it would wait.
                supervisor.kill()
    finally:
        database.dispose()


def find_abilities(stop: threading.Event) -> Abilities | None:
    """Ask a first child what it could run, which also warms the fork server up; None if stopped."""
    answers, answer = multiprocessing.get_context("forkserver").Pipe(duplex=False)
    try:
        child = forkserver.start(CHILD_MODULE, "report_abilities", answer, name="abilities")
    except forkserver.CannotStart as reason:
        raise WorkerCannotStart(str(reason)) from reason
    answer.close()
    deadline = time.monotonic() + START_FOR.total_seconds()
    try:
        while not answers.poll(LOOK_EVERY):
            if stop.is_set():
                return None
            if time.monotonic() > deadline:
                message = f"no answer within {START_FOR}"
                raise WorkerCannotStart(message)
        return answers.recv()
    except EOFError as nothing:
        message = "the first child ended without an answer"
        raise WorkerCannotStart(message) from nothing
    finally:
        child.kill()
        child.close()
        answers.close()


def _work(supervisor: Supervisor, stop: threading.Event) -> None:
    outage = Outage()
    while not stop.is_set():
        with outage.survived():
            supervisor.look_after()
            supervisor.claim()
        if outage.lasts:
            supervisor.let_others_first()
            stop.wait(LOOK_AGAIN)
        elif supervisor.busy:
            supervisor.wait(LOOK_EVERY)
        else:
            stop.wait(LOOK_EVERY)


def _drain(supervisor: Supervisor, kill: threading.Event, drain_for: timedelta) -> None:
    supervisor.drain()
    deadline = time.monotonic() + drain_for.total_seconds()
    outage = Outage()
    while supervisor.busy and not kill.is_set() and time.monotonic() < deadline:
        with outage.survived():
            supervisor.look_after()
        if outage.lasts:
            kill.wait(LOOK_AGAIN)
        else:
            supervisor.wait(LOOK_EVERY)
    supervisor.end_at_once()


def _new_worker(abilities: Abilities, settings: Settings) -> NewWorker:
    return NewWorker(
        id=WorkerId(new_id("wrk")),
        host=socket.gethostname(),
        pid=os.getpid(),
        devices=abilities.devices,
        components=[*abilities.components, *offers_threads(settings.most_threads)],
        threads=settings.most_threads,
        places=settings.workers,
    )


@contextmanager
def _leaving(database: Database, worker: NewWorker) -> Generator[None]:
    """Take the worker off the list at the end. A crashed one is seen as stale, later forgotten.

    Its first heartbeat puts it on the list.
    """
    logger.info("%s works, with %s", worker.id, ", ".join(worker.devices))
    try:
        yield
    finally:
        with Outage().survived(), database.begin() as session:
            claim_store.remove_worker(session, worker.id)


@contextmanager
def _cleaning(database: Database, stop: threading.Event) -> Generator[None]:
    """Free what nobody refers to, beside the work: a long cleaning must delay no heartbeat."""
    ended = threading.Event()

    def clean() -> None:
        outage = Outage()
        while not stop.is_set() and not ended.wait(CLEAN_EVERY):
            with outage.survived():
                clean_up(database)

    thread = threading.Thread(target=clean, name="cleaning", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def clean_up(database: Database) -> None:
    """Delete bytes without a reference, old answers, and the rows of workers that died long ago."""
    blobs.collect(database)
    idempotency.remove_expired(database)
    with database.begin() as session:
        claim_store.remove_stale_workers(session, before=database_now(session) - FORGET_AFTER)
