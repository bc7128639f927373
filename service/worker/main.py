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

from service.domain.jobs import WorkerId
from service.domain.workers import NewWorker
from service.settings import Settings
from service.store import blobs
from service.store import claims as claim_store
from service.store.engine import Database, database_now
from service.store.ids import new_id
from service.worker import forkserver
from service.worker.abilities import Abilities
from service.worker.supervisor import CHILD_MODULE, DATABASE_TROUBLE, Limits, Supervisor

logger = logging.getLogger(__name__)

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
            threads=settings.threads,
            lease_for=timedelta(seconds=settings.lease_seconds),
            max_deaths=settings.max_deaths,
        )
        with _registered(database, abilities, settings) as worker_id, _cleaning(database, stop):
            supervisor = Supervisor(database, worker_id, abilities, limits)
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
    while not stop.is_set():
        try:
            supervisor.look_after()
            supervisor.claim()
        except DATABASE_TROUBLE:
            logger.exception("the database failed; trying again")
        if supervisor.busy:
            supervisor.wait(LOOK_EVERY)
        else:
            stop.wait(LOOK_EVERY)


def _drain(supervisor: Supervisor, kill: threading.Event, drain_for: timedelta) -> None:
    supervisor.drain()
    deadline = time.monotonic() + drain_for.total_seconds()
    while supervisor.busy and not kill.is_set() and time.monotonic() < deadline:
        try:
            supervisor.look_after()
        except DATABASE_TROUBLE:
            logger.exception("the database failed; trying again")
        supervisor.wait(LOOK_EVERY)
    supervisor.end_at_once()


@contextmanager
def _registered(
    database: Database, abilities: Abilities, settings: Settings
) -> Generator[WorkerId]:
    """Let people see that this worker lives. A crashed one is seen as stale, later forgotten."""
    worker_id = WorkerId(new_id("wrk"))
    new = NewWorker(
        id=worker_id,
        host=socket.gethostname(),
        pid=os.getpid(),
        devices=abilities.devices,
        components=abilities.components,
        threads=settings.threads,
    )
    with database.begin() as session:
        claim_store.register_worker(session, new, now=database_now(session))
    logger.info("%s works, with %s", worker_id, ", ".join(abilities.devices))
    try:
        yield worker_id
    finally:
        with database.begin() as session:
            claim_store.remove_worker(session, worker_id)


@contextmanager
def _cleaning(database: Database, stop: threading.Event) -> Generator[None]:
    """Free what nobody refers to, beside the work: a long cleaning must delay no heartbeat."""
    ended = threading.Event()

    def clean() -> None:
        while not stop.is_set() and not ended.wait(CLEAN_EVERY):
            try:
                clean_up(database)
            except DATABASE_TROUBLE:
                logger.exception("cleaning up failed; trying again later")

    thread = threading.Thread(target=clean, name="cleaning", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def clean_up(database: Database) -> None:
    """Delete bytes without a reference, and the rows of workers that died long ago."""
    blobs.collect(database)
    with database.begin() as session:
        claim_store.remove_stale_workers(session, before=database_now(session) - FORGET_AFTER)
