"""A job's own process: whatever happens to it, the worker and the other jobs go on.

It begins as a fork of the warm server, runs the runner of the job's kind, and ends the job in one
transaction. If it cannot even do that, the worker sees it die and takes care.
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from service.catalogue import Catalogue
from service.domain.jobs import Claim, JobKind
from service.domain.ports import Command
from service.store import claims as claim_store
from service.store.engine import Database, database_now
from service.store.errors import DATABASE_TROUBLE, LeaseLost, StorageFull
from service.store.patience import in_words, patiently
from service.training.device import available_devices, machine_offers
from service.training.failures import TrainingFailed
from service.worker import memory
from service.worker.abilities import DATABASE_AWAY, Abilities, Work
from service.worker.failures import job_error
from service.worker.load import Load
from service.worker.orders import Inbox
from service.worker.runners import train
from service.worker.runners.base import Run

logger = logging.getLogger(__name__)

FIRST_VICTIM = "1000"
RUNNERS: Mapping[JobKind, Callable[[Run], None]] = {"train": train.run}


def main(work: Work, orders: "Connection[Command | None]") -> None:
    """Run a claimed job to its end, or until the worker orders otherwise."""
    _log_to_stderr(work.log_level)
    load = Load() if work.yields else None
    inbox = Inbox(orders)
    step_back(work.nice)
    if work.claim.spec.training.device == "cpu" or available_devices()[0] == "cpu":
        memory.limit(work.memory_bytes)  # drivers of accelerators reserve far more than they take
    # Recorders copy the log themselves: in a commit, training would wait for it.
    database = Database.open(work.database_url, pool_size=2, copies_log=False)
    try:
        run_job(work, database, inbox.command, load)
    finally:
        database.dispose()


def run_job(
    work: Work,
    database: Database,
    command: Callable[[], Command | None],
    load: Load | None = None,
) -> None:
    """Run the job; end it as failed, in plain words, when the runner raises."""
    claim = work.claim
    logger.info("%s: attempt %d begins in process %d", claim.job_id, claim.attempt, os.getpid())
    try:
        run = Run(
            claim, database, Catalogue.installed(), work.threads, command, work.downloads, load
        )
        RUNNERS[claim.kind](run)
    except LeaseLost:
        logger.warning("%s: the lease is lost, another worker may have the job", claim.job_id)
    except StorageFull as error:
        logger.exception("%s: no room for what it stores", claim.job_id)
        _fail(database, claim, error)
    except DATABASE_TROUBLE as trouble:
        # Not in the recorder, which waits and goes on: at the start, or at the very end. Waiting
        # here keeps the next attempt from meeting the same outage, again and again.
        logger.warning("%s: the database fails (%s)", claim.job_id, in_words(trouble))
        patiently(lambda: _look_at(database))
        sys.exit(DATABASE_AWAY)
    except SQLAlchemyError:
        logger.exception("%s: the database refused", claim.job_id)
        sys.exit(os.EX_SOFTWARE)  # counted: it may be the job's fault
    except Exception as error:
        logger.exception("%s: failed", claim.job_id)
        _fail(database, claim, error)


def report_abilities(answer: "Connection[Abilities]", orders: "Connection[Command | None]") -> None:
    """Say what this machine has; runs in a child of its own, which also warms the server up."""
    orders.close()
    components = [*Catalogue.installed().components(), *machine_offers()]
    answer.send(Abilities(available_devices(), components))
    answer.close()


def step_back(nice: int) -> None:
    """Leave the processor, so far as `nice` says, and the memory to the service.

    All of it is best effort; a container may forbid it.
    """
    with suppress(OSError):
        os.setsid()  # a session of its own has an autogroup of its own, where nice counts
    with suppress(OSError):
        os.nice(nice)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice), encoding="ascii")
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_VICTIM, encoding="ascii")


def _look_at(database: Database) -> None:
    database.check_writable()
    with database.read() as session:
        database_now(session)


def _fail(database: Database, claim: Claim, error: Exception) -> None:
    failure = job_error(error)
    findings = error.findings if isinstance(error, TrainingFailed) else ()
    memory.lift()

    def note() -> None:
        with database.begin() as session:
            now = database_now(session)
            claim_store.fail(session, claim.lease, failure, findings=findings, now=now)

    try:
        patiently(note)
    except LeaseLost:
        logger.warning("%s: the lease is lost, the failure is not noted", claim.job_id)


def _log_to_stderr(level: int) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells whole URLs, passwords too
