"""Harm everything for minutes, then compare every job, bit for bit, with a quiet run.

An API and two workers as processes of their own, on SQLite or PostgreSQL. Clients post small jobs
of all kinds, with and without keys; meanwhile processes are killed, stopped and drained, and
PostgreSQL is restarted. Prints one line of JSON; every column after `harm` must be zero.
"""

import argparse
import json
import logging
import random
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks.havoc import audit
from benchmarks.havoc.fleet import Fleet, fleet
from benchmarks.havoc.harm import Harm
from benchmarks.havoc.recipes import RECIPES
from benchmarks.havoc.traffic import AT_ONCE, Traffic
from benchmarks.postgresql import StoppablePostgresql, stoppable_postgresql
from service.domain.jobs import ENDED
from service.store.engine import Database

LEASE_SECONDS = 3.0
SETTLE_SECONDS = 600.0
log = logging.getLogger("chaos")

Outcome = dict[str, Any]


def main() -> int:
    """Run, print the line, and end with 1 where something is wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=1.0)
    options.add_argument("--seed", type=int, default=any_seed())
    options.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    options.add_argument("--keep", type=Path, help="A folder for database and logs, to look at.")
    given = options.parse_args()
    logging.basicConfig(format="%(asctime)s %(message)s")
    log.setLevel(logging.INFO)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        outcome = run(folder, minutes=given.minutes, seed=given.seed, database=given.database)
    print(json.dumps(outcome))
    return 0 if is_clean(outcome) else 1


def run(
    folder: Path, *, minutes: float, seed: int, database: str, at_once: int = AT_ONCE
) -> Outcome:
    """Do harm for so long, let it settle, look at everything; return the counts."""
    log.info("seed %d on %s", seed, database)
    with (
        _database(folder, database) as (url, postgresql),
        fleet(url, folder, lease_seconds=LEASE_SECONDS) as processes,
    ):
        traffic = Traffic(processes.url, seed, at_once=at_once)
        truths = quiet_runs(traffic)
        harm = Harm(processes, seed=seed, lease_seconds=LEASE_SECONDS, postgresql=postgresql)
        traffic.start()
        harm.go_on(60 * minutes)
        traffic.stop()
        harm.end()
        findings = audit.Findings()
        settle(processes, traffic, findings)
        audit.look_at_jobs(traffic, truths, findings)
        audit.look_at_followers(traffic, findings)
        orphans = processes.end()
        opened = Database.open(url)
        audit.look_at_blobs(opened, findings)
        opened.dispose()
        traffic.close()
    return _summary(seed, database, traffic, harm, findings, orphans)


def any_seed() -> int:
    """Draw a seed; it is printed, so that what it found can be looked for again."""
    return random.randrange(10**6)


def is_clean(outcome: Outcome) -> bool:
    """Tell whether every bad column is zero."""
    names = [field.name for field in fields(audit.Findings)]
    return not any(outcome[name] for name in [*names, "orphans", "unexpected_5xx"])


def quiet_runs(traffic: Traffic) -> dict[str, audit.Truth]:
    """Train every recipe once while nothing happens."""
    jobs = {name: traffic.post(name, keyed=False) for name in RECIPES}
    truths: dict[str, audit.Truth] = {}
    for name, posted in jobs.items():
        while traffic.read(f"/v1/jobs/{posted.job}")["status"] not in ENDED:
            time.sleep(0.2)
        truths[name] = audit.truth_of(traffic, str(posted.job))
        posted.status = "succeeded"
    return truths


def settle(processes: Fleet, traffic: Traffic, findings: audit.Findings) -> None:
    """Wait until every accepted job has ended; what was paused goes on."""
    deadline = time.monotonic() + SETTLE_SECONDS
    waiting = traffic.ledger.alive()
    while waiting and time.monotonic() < deadline:
        processes.tend()
        for each in [*waiting]:
            answer = traffic.ask("GET", f"/v1/jobs/{each.job}")
            each.status = answer.json().get("status", "") if answer is not None else each.status
            if each.status == "paused":
                traffic.ask("POST", f"/v1/jobs/{each.job}/resume")
            if each.status in ENDED or (answer is not None and answer.is_client_error):
                waiting.remove(each)
        time.sleep(0.3)
    findings.stuck.extend(str(each) for each in waiting)


def _summary(
    seed: int,
    database: str,
    traffic: Traffic,
    harm: Harm,
    findings: audit.Findings,
    orphans: list[int],
) -> Outcome:
    posted = traffic.ledger.posted
    ends = [each.status for each in posted if each.accepted and not each.deleted]
    found: dict[str, list[str]] = vars(findings)
    for name, each in found.items():
        for what in each:
            log.error("%s: %s", name, what)
    for what in traffic.ledger.unexpected:
        log.error("unexpected: %s", what)
    return {
        "seed": seed,
        "database": database,
        "jobs": len(posted),
        "accepted": sum(each.accepted for each in posted),
        "ends": {status: ends.count(status) for status in sorted(set(ends))},
        "harm": dict(sorted(harm.done.items())),
        **{name: len(each) for name, each in found.items()},
        "orphans": len(orphans),
        "unexpected_5xx": len(traffic.ledger.unexpected),
    }


@contextmanager
def _database(folder: Path, kind: str) -> Generator[tuple[str, StoppablePostgresql | None]]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/trainyard.db", None
        return
    with stoppable_postgresql() as server:
        yield server.url, server


if __name__ == "__main__":
    sys.exit(main())
