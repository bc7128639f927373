"""The jobs one worker holds: claimed with leases, kept by heartbeats, each in its own child.

Every call does what is due and returns; nothing here waits for a job. A database that does not
answer leaves all as it is, and the next call tries again.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import wait

from sqlalchemy.orm import Session

from service.domain.jobs import Claim, LeaseToken
from service.domain.ports import Command
from service.domain.workers import NewWorker
from service.store import claims as claim_store
from service.store.engine import Database, database_now
from service.store.errors import LeaseLost
from service.worker import forkserver
from service.worker.abilities import DATABASE_AWAY, Downloads, Work
from service.worker.outage import Outage

logger = logging.getLogger(__name__)

ORDERS_EVERY = 0.2
BEAT_AT_LEAST_EVERY = 10.0  # however long the lease: who is silent for 30 s is not counted on
LOOK_SHARE = 0.1  # of its time an idle worker looks at a long queue in which nothing fits it
LONGEST_PAUSE = 1.0
CHILD_MODULE = "service.worker.child"


@dataclass
class Held:
    """A job of this worker, its process, and what the process was told last."""

    claim: Claim
    child: forkserver.Child
    told: Command | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a supervisor is allowed and promises."""

    database_url: str
    workers: int
    threads: int
    yields: bool
    nice: int
    job_memory_bytes: int
    lease_for: timedelta
    max_deaths: int
    downloads: Downloads


class Supervisor:
    """Holds jobs for one worker. Its thread is the only one that calls it."""

    def __init__(self, database: Database, worker: NewWorker, limits: Limits) -> None:
        self._database = database
        self._worker = worker
        self._limits = limits
        self._held: list[Held] = []
        self._draining = False
        self._claim_from = 0.0
        self._beat_at = 0.0
        self._ordered_at = 0.0

    @property
    def busy(self) -> bool:
        """Whether a job is held."""
        return bool(self._held)

    def look_after(self) -> None:
        """Bury dead children, keep the leases and pass orders on, each when it is due."""
        self._bury_the_dead()
        now = time.monotonic()
        if now - self._beat_at >= self._beat_every:
            self._keep_leases()
            self._beat_at = now
        if self._held and now - self._ordered_at >= ORDERS_EVERY:
            self._pass_orders()
            self._ordered_at = now

    def claim(self) -> None:
        """Take jobs while there are free places and jobs that fit."""
        if time.monotonic() < self._claim_from:
            return
        while len(self._held) < self._limits.workers:
            began = time.monotonic()
            claim = self._next_claim()
            if claim is None:
                took = time.monotonic() - began
                self._claim_from = began + min(LONGEST_PAUSE, took / LOOK_SHARE)
                return
            self._start(claim)

    def let_others_first(self) -> None:
        """Claim nothing for a moment: the database was away from all workers.

        Their leases have expired, too, and they shall keep their jobs as this one keeps its own.
        """
        self._claim_from = time.monotonic() + self._beat_every

    def drain(self) -> None:
        """Have every job write a checkpoint and go back to the queue."""
        self._draining = True
        self._beat_at = 0.0  # let people see it now
        for held in self._held:
            self._tell(held, held.told or "drain")

    def end_at_once(self) -> None:
        """Kill what still runs; the jobs go back to the queue with their newest checkpoints."""
        self.kill()
        for held in self._held:
            while not held.child.is_gone():
                self.wait(0.01)
            logger.warning("%s: its process was killed", held.claim.job_id)
            with Outage().survived():  # else it stays claimed until its lease expires
                self._give_back(held.claim, None)
            held.child.close()
        self._held.clear()

    def kill(self) -> None:
        """Kill all children; their leases will expire, if nobody gives the jobs back."""
        for held in self._held:
            held.child.kill()

    def wait(self, seconds: float) -> None:
        """Wait for so long, or until a child ends."""
        wait([held.child.sentinel for held in self._held], timeout=seconds)

    @property
    def _beat_every(self) -> float:
        return min(self._limits.lease_for.total_seconds() / 3, BEAT_AT_LEAST_EVERY)

    def _next_claim(self) -> Claim | None:
        """Claim a job. Looks first, without writing: an idle worker must not lock the database."""
        devices, components = self._worker.devices, self._worker.components
        with self._database.read() as session:
            now = database_now(session)
            if not claim_store.has_claimable(
                session, devices=devices, components=components, now=now
            ):
                return None
        with self._database.begin() as session:
            now = database_now(session)
            self._beat(session, now)  # the wait for a lock may have outlasted the leases held here
            return claim_store.claim(
                session,
                worker_id=self._worker.id,
                devices=devices,
                components=components,
                lease_for=self._limits.lease_for,
                now=now,
            )

    def _start(self, claim: Claim) -> None:
        limits = self._limits
        level = logging.getLogger().getEffectiveLevel()
        work = Work(
            claim=claim,
            database_url=limits.database_url,
            threads=limits.threads,
            yields=limits.yields,
            nice=limits.nice,
            memory_bytes=limits.job_memory_bytes,
            log_level=level,
            downloads=limits.downloads,
        )
        try:
            child = forkserver.start(CHILD_MODULE, "main", work, name=claim.job_id)
        except forkserver.CannotStart as reason:
            self._note_death(claim, f"The training process could not be started: {reason}.")
        else:
            self._held.append(Held(claim, child))

    def _bury_the_dead(self) -> None:
        for held in [*self._held]:
            exit_code = held.child.exit_code()
            if exit_code is None:
                continue
            if not held.child.is_gone():
                # The fork server died, which looks the same. Its child must never train beside
                # the next attempt: it is killed now, and buried when it is gone.
                held.child.kill()
                continue
            if exit_code == DATABASE_AWAY:
                self._give_back(held.claim, "the database was away")
            else:
                self._note_death(held.claim, forkserver.exit_in_words(exit_code))
            self._held.remove(held)
            held.child.close()

    def _note_death(self, claim: Claim, message: str) -> None:
        """Note that a process ended without ending its job; most have ended it."""
        try:
            with self._database.begin() as session:
                status = claim_store.record_death(
                    session,
                    claim.lease,
                    code="child_died",
                    message=message,
                    max_deaths=self._limits.max_deaths,
                    now=database_now(session),
                )
        except LeaseLost:  # leaving `running` clears the lease: the job has been ended
            return
        logger.warning("%s is %s: %s", claim.job_id, status, message)

    def _keep_leases(self) -> None:
        with self._database.begin() as session:
            now = database_now(session)
            lost = self._beat(session, now)
            status = "draining" if self._draining else "running"
            if time.monotonic() >= self._claim_from:
                # A worker without a free place claims nothing, yet must leave no job stuck.
                claim_store.settle_expired(session, now=now)
            known = claim_store.beat_worker(session, self._worker.id, now=now, status=status)
            if not known:  # the first beat, or others forgot it in a long silence
                claim_store.register_worker(session, self._worker, now=now)
        for held in lost:
            # Either it has just ended its job and will be gone by itself, or the job is another's.
            if held.child.exit_code() is None:
                logger.warning("%s: ended or lost", held.claim.job_id)
                held.child.kill()

    def _beat(self, session: Session, now: datetime) -> list[Held]:
        """Keep the leases for another while; return what was lost."""
        lost: list[Held] = []
        for held in self._held:
            try:
                claim_store.heartbeat(
                    session, held.claim.lease, lease_for=self._limits.lease_for, now=now
                )
            except LeaseLost:
                lost.append(held)
        return lost

    def _pass_orders(self) -> None:
        with self._database.read() as session:
            orders = claim_store.orders(session, [held.claim.lease for held in self._held])
        for held in self._held:
            if held.claim.lease in orders:
                order = orders[LeaseToken(held.claim.lease)]
                self._tell(held, order or ("drain" if self._draining else None))

    def _tell(self, held: Held, command: Command | None) -> None:
        if command != held.told:
            held.child.tell(command)
            held.told = command

    def _give_back(self, claim: Claim, reason: str | None) -> None:
        """Queue the job again, without counting a death."""
        try:
            with self._database.begin() as session:
                now = database_now(session)
                claim_store.release(session, claim.lease, status="queued", reason=reason, now=now)
        except LeaseLost:
            logger.info("%s has been ended or is another worker's", claim.job_id)
