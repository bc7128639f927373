"""A worker for tests that dies where it is told to: `python -m tests.training.exactness.lane`.

For each `Plan`, a line of its standard input, it works off the queue of a real database in forks
of itself, with the real runner and recorder, and writes a `Report` when no job is left. A fork that
was killed leaves everything as a `kill -9` does, and the next one goes on.
"""

import os
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy import event

from service.catalogue import Catalogue
from service.domain.jobs import Claim
from service.store import claims
from service.store.engine import Database, database_now
from service.store.tables import JobRow
from service.training.device import machine_offers
from service.worker.abilities import Downloads
from service.worker.runners import train
from service.worker.runners.base import Run

LEASE = timedelta(hours=1)
NEVER_FAIL = 10**6


class Kill(BaseModel):
    """When an attempt dies: before its n-th step or statement, or so long after it began."""

    by: Literal["step", "statement", "milliseconds"]
    at: int


class Plan(BaseModel):
    """Which database, how many threads a job may use, and how its attempts die, in their order."""

    database_url: str
    threads: dict[str, int] = {}
    kills: dict[str, list[Kill]] = {}


class Counts(BaseModel):
    """What an attempt did: so much a later one can be killed at."""

    step: int = 0
    statement: int = 0
    milliseconds: int = 0


class Report(BaseModel):
    """What the jobs did that were not killed, and how many forks were."""

    counts: dict[str, Counts]
    killed: int


def main() -> None:
    """Carry out one plan after the other."""
    catalogue = Catalogue.installed()
    import_module("torch._dynamo")  # else every fork does, at its first step
    warnings.simplefilter("ignore")  # of kernels of an even size
    for line in sys.stdin:
        plan = Plan.model_validate_json(line)
        sys.stdout.write(_carry_out(plan, catalogue).model_dump_json() + "\n")
        sys.stdout.flush()


def _carry_out(plan: Plan, catalogue: Catalogue) -> Report:
    """Work until no job is left."""
    counts: dict[str, Counts] = {}
    killed = 0
    while status := _fork(plan, catalogue, counts):
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            sys.exit(1)  # it has said why
        killed += 1
    return Report(counts=counts, killed=killed)


def _fork(plan: Plan, catalogue: Catalogue, counts: dict[str, Counts]) -> int:
    """Work in a fork until it dies or finds nothing; return how it ended (wait(2))."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reads)
        code = os.EX_SOFTWARE
        try:
            _work(plan, catalogue, writes)
            code = 0
        except Exception:  # noqa: BLE001  the fork's own end: nothing of its parent's may run
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writes)
    with os.fdopen(reads, "rb", buffering=0) as told:
        _listen(told, pid, counts)
    return os.waitpid(pid, 0)[1]


def _listen(told: Any, pid: int, counts: dict[str, Counts]) -> None:
    """Hear of the fork when it shall be killed and what it did, until it is gone."""
    rest = b""
    seconds: float | None = None
    while True:
        if not select.select([told], [], [], seconds)[0]:
            os.kill(pid, signal.SIGKILL)
            seconds = None
            continue
        content = told.read(65536)
        if not content:
            return
        *lines, rest = (rest + content).split(b"\n")
        for line in lines:
            job_id, what, value = line.decode().split(" ", 2)
            if what == "kill-after":
                seconds = int(value) / 1000
            else:
                seconds = None
                counts[job_id] = Counts.model_validate_json(value)


def _work(plan: Plan, catalogue: Catalogue, tell: int) -> None:
    database = Database.open(plan.database_url, pool_size=2)
    _bury(database)
    while (claim := _claim(database, catalogue)) is not None:
        planned = plan.kills.get(claim.job_id, [])
        kill = planned[claim.attempt - 1] if claim.attempt <= len(planned) else None
        if kill is not None and kill.by == "milliseconds":
            os.write(tell, f"{claim.job_id} kill-after {kill.at}\n".encode())
        dying, began = _Dying(kill), time.monotonic()
        threads = plan.threads.get(claim.job_id, 1)
        with dying.listening(database):
            train.run(
                Run(claim, database, catalogue, threads, dying.command, Downloads(None, 10**9))
            )
        dying.counts.milliseconds = int(1000 * (time.monotonic() - began))
        os.write(tell, f"{claim.job_id} done {dying.counts.model_dump_json()}\n".encode())


def _claim(database: Database, catalogue: Catalogue) -> Claim | None:
    with database.begin() as session:
        return claims.claim(
            session,
            worker_id="wrk_lane",
            devices=["cpu"],
            components=[*catalogue.components(), *machine_offers(), "threads:1", "threads:2"],
            lease_for=LEASE,
            now=database_now(session),
        )


def _bury(database: Database) -> None:
    """Queue again what a killed fork has left."""
    with database.begin() as session:
        running = sa.select(JobRow.lease).where(JobRow.status == "running")
        for lease in session.scalars(running).all():
            claims.record_death(
                session,
                str(lease),
                code="child_died",
                message="Killed.",
                max_deaths=NEVER_FAIL,
                now=database_now(session),
            )


class _Dying:
    """Counts what an attempt does and kills it at the planned place."""

    def __init__(self, kill: Kill | None) -> None:
        self._kill = kill
        self.counts = Counts()

    def command(self) -> None:
        """Count a step: the loop asks before each."""
        self.counts.step += 1
        self._die("step", self.counts.step)

    @contextmanager
    def listening(self, database: Database) -> Generator[None]:
        """Count statements and commits while this is entered."""
        events = ("before_cursor_execute", "commit")
        for name in events:
            event.listen(database.engine, name, self._statement)
        yield
        for name in events:
            event.remove(database.engine, name, self._statement)

    def _statement(self, *_arguments: Any) -> None:
        self.counts.statement += 1
        self._die("statement", self.counts.statement)

    def _die(self, by: str, count: int) -> None:
        if self._kill is not None and (self._kill.by, self._kill.at) == (by, count):
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
