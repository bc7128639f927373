"""The queue: claims by eight workers, reads beside a long past, and jobs whose worker is killed.

`claims`: eight processes claim 10,000 queued jobs and end each at once, against one process that
does it to some of them. `past`: reads and a claim with 100, 10,000 and 100,000 ended jobs; the
ratio is to the shortest past. `kills`: from `kill -9` of a worker until its job trains again
elsewhere, without the lease.

    python -m benchmarks.queues [claims] [past] [kills]
"""

import argparse
import multiprocessing
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

import httpx
import psycopg
import sqlalchemy as sa

from benchmarks import filling
from benchmarks.postgresql import stoppable_postgresql
from service.domain.jobs import JobError, NewJob
from service.store import claims, events, jobs, migrate
from service.store.engine import Database, database_now
from service.store.tables import JobRow, WorkerRow
from service.training.device import cpu_name

WORKERS = 8
QUEUED = 10_000
ALONE = 1_000
PASTS = (100, 10_000, 100_000)
POINTS = {100: 10_000, 10_000: 10_000, 100_000: 1_000_000}
"""How many points all jobs have together, by the number of jobs."""
A_SERIES = 1_000
ROUNDS = 15
LEASES = (2.0, 5.0, 15.0)
KILLS = 3
LEASE = timedelta(minutes=10)
DEADLINE = 120.0
DONE = JobError(code="done", message="It was claimed.")
ThingT = TypeVar("ThingT")


class Place(NamedTuple):
    """A new, migrated database."""

    kind: str
    url: str


@contextmanager
def databases() -> Generator[Callable[[], list[Place]]]:
    """Give a function that makes a new database of each kind."""
    made = 0
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(stoppable_postgresql(durable=True))

        def make() -> list[Place]:
            nonlocal made
            made += 1
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE queue_{made}".encode())
            url = sa.make_url(server.url).set(database=f"queue_{made}")
            places = [
                Place("SQLite", f"sqlite:///{folder}/{made}.db"),
                Place("PostgreSQL", url.render_as_string(hide_password=False)),
            ]
            for place in places:
                with opened(place) as database:
                    migrate.upgrade(database)
            return places

        yield make


@contextmanager
def opened(place: Place, *, pool_size: int = 2) -> Generator[Database]:
    """Open a database for the length of a block."""
    database = Database.open(place.url, pool_size=pool_size)
    try:
        yield database
    finally:
        database.dispose()


def claim_once(database: Database, components: Sequence[str]) -> str | None:
    """Claim a job as a worker does, a look, then the claim; return the lease."""
    with database.read() as session:
        now = database_now(session)
        if not claims.has_claimable(session, devices=["cpu"], components=components, now=now):
            return None
    with database.begin() as session:
        claim = claims.claim(
            session,
            worker_id="wrk_benchmark",
            devices=["cpu"],
            components=components,
            lease_for=LEASE,
            now=database_now(session),
        )
    return claim.lease if claim else None


def end(database: Database, lease: str) -> None:
    """End a claimed job: a worker holds a few at a time, not thousands."""
    with database.begin() as session:
        claims.fail(session, lease, DONE, now=database_now(session))


def claim_all(url: str, components: Sequence[str], at_most: int, begin_at: float) -> list[float]:
    """Claim from a moment on until nothing is left; return when each claim was had."""
    had: list[float] = []
    with opened(Place("", url), pool_size=1) as database:
        with database.read() as session:  # connect before it counts
            database_now(session)
        time.sleep(max(0.0, begin_at - time.time()))
        while len(had) < at_most and (lease := claim_once(database, components)):
            had.append(time.time())
            end(database, lease)
    return had


def measure_claims(make: Callable[[], list[Place]]) -> None:
    """Print how quickly the queue is emptied, and how evenly."""
    print(
        f"\n| {QUEUED:,} queued jobs | one worker, claims/s | {WORKERS} workers | ratio "
        "| fewest to most claims of a worker |\n| --- | ---: | ---: | ---: | ---: |"
    )
    for place in make():
        with opened(place) as database:
            past = filling.begin(database)
            filling.add_jobs(database, past, QUEUED + ALONE, status="queued")
        components = past.spec.components()
        context = multiprocessing.get_context("spawn")
        with context.Pool(WORKERS) as pool:
            began = time.time() + 5
            alone = pool.apply(claim_all, (place.url, components, ALONE, began))
            one = len(alone) / (alone[-1] - began)
            began = time.time() + 5
            arguments = [(place.url, components, QUEUED, began)] * WORKERS
            each = pool.starmap(claim_all, arguments, chunksize=1)
        together = QUEUED / (max(had[-1] for had in each if had) - began)
        counts = [len(had) for had in each]
        assert sum(counts) == QUEUED, counts
        print(
            f"| {place.kind} | {one:,.0f} | {together:,.0f} | {together / one:.2f} "
            f"| {min(counts):,} : {max(counts):,} = {min(counts) / max(counts):.2f} |",
            flush=True,
        )


class Site(NamedTuple):
    """A database with a past, and the API before it."""

    database: Database
    components: Sequence[str]
    client: httpx.Client
    pid: int
    ordinary: str
    """A job with a series of `A_SERIES` points."""
    long: str
    """A job whose series has as many points as all others together."""

    def read(self, path: str) -> None:
        """Read something of the API."""
        self.client.get(path).raise_for_status()

    def read_table(self) -> None:
        """Read all points of the longest series."""
        path = f"/v1/jobs/{self.long}/metrics"
        self.client.get(path, headers={"Accept": "text/csv"}).raise_for_status()


READS: Mapping[str, Callable[[Site], object]] = {
    "a claim": lambda site: claim_once(site.database, site.components),
    "GET /v1/jobs": lambda site: site.read("/v1/jobs"),
    "…, 100 that wait": lambda site: site.read("/v1/jobs?status=queued&limit=100"),
    "…, of a model": lambda site: site.read("/v1/jobs?model=model-7"),
    "…, by metadata": lambda site: site.read("/v1/jobs?metadata.course=7"),
    "…, by metadata that none has": lambda site: site.read("/v1/jobs?metadata.course=none"),
    "metrics of 1,000 points": lambda site: site.read(f"/v1/jobs/{site.ordinary}/metrics"),
    "metrics of 10,000, 10,000, 1,000,000 points, thinned to 1,000": lambda site: site.read(
        f"/v1/jobs/{site.long}/metrics?max_points=1000"
    ),
}


def measure_past(make: Callable[[], list[Place]]) -> None:
    """Print what a read takes beside a longer and longer past, in alternating rounds."""
    for kind in ("SQLite", "PostgreSQL"):
        heads = " | ".join(f"{count:,} jobs" for count in PASTS)
        print(
            f"\n| {kind}, ms | {heads} | longest to shortest |\n"
            f"| --- |{' ---: |' * (len(PASTS) + 1)}"
        )
        with ExitStack() as stack:
            sites = [
                stack.enter_context(site_with(place, count))
                for count in PASTS
                for place in make()
                if place.kind == kind
            ]
            for name, do in READS.items():
                taken = [[milliseconds(do, site) for site in sites] for _ in range(ROUNDS)]
                ratio = statistics.median(each[-1] / each[0] for each in taken)
                medians = (statistics.median(column) for column in zip(*taken, strict=True))
                print(f"| {name} | {' | '.join(f'{m:.1f}' for m in medians)} | {ratio:.2f} |")
            for site in sites:
                site.read_table()
            peaks = [peak_mib(site.pid) for site in sites]
            cells = " | ".join(f"{peak:.0f}" for peak in peaks)
            print(
                f"| peak RSS of the API, MiB | {cells} | {peaks[-1] / peaks[0]:.2f} |", flush=True
            )


@contextmanager
def site_with(place: Place, count: int) -> Generator[Site]:
    """Fill a database with so many ended jobs, their points, and some jobs that wait."""
    with opened(place) as database:
        past = filling.begin(database)
        ended = filling.add_jobs(database, past, count, status="succeeded")
        for job_id in ended[: POINTS[count] // A_SERIES]:
            filling.add_points(database, job_id, A_SERIES)
        long = filling.add_jobs(database, past, 1, status="succeeded")[0]
        filling.add_points(database, long, POINTS[count])
        filling.add_jobs(database, past, 100, status="queued")
        with api(place) as (url, pid), httpx.Client(base_url=url, timeout=DEADLINE) as client:
            yield Site(database, past.spec.components(), client, pid, ended[0], long)


def milliseconds(do: Callable[[Site], object], site: Site) -> float:
    """Do it once."""
    began = time.perf_counter()
    do(site)
    return 1000 * (time.perf_counter() - began)


def peak_mib(pid: int) -> float:
    """Read the most memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


@contextmanager
def api(place: Place) -> Generator[tuple[str, int]]:
    """Run the API alone."""
    with started(place, "api", "--port", "0") as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process.pid


@contextmanager
def started(place: Place, *command: str, **settings: str) -> Generator["subprocess.Popen[str]"]:
    """Run a command of the service; it is killed at the end."""
    environment = {"TRAINYARD_DATABASE_URL": place.url, "TRAINYARD_THREADS": "1", **settings}
    with subprocess.Popen(
        [sys.executable, "-m", "service", *command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def measure_kills(make: Callable[[], list[Place]]) -> None:
    """Print how long a job whose worker was killed waits beyond the lease."""
    print(
        "\n| beyond the lease, s | lease, s | median | least | most |\n"
        "| --- | ---: | ---: | ---: | ---: |"
    )
    for place in make():
        with opened(place) as database:
            past = filling.begin(database)
            for lease in LEASES:
                with database.begin() as session:
                    new = NewJob(spec=past.spec)
                    job_id = jobs.enqueue(session, new, now=database_now(session)).id
                beyond = [each - lease for each in kills(place, database, job_id, lease)]
                print(
                    f"| {place.kind} | {lease:.0f} | {statistics.median(beyond):.2f} "
                    f"| {min(beyond):.2f} | {max(beyond):.2f} |",
                    flush=True,
                )


def kills(place: Place, database: Database, job_id: str, lease: float) -> list[float]:
    """Kill the worker that trains a job, several times; return the seconds until it trained on."""
    taken: list[float] = []
    with ExitStack() as stack:
        for attempt in range(1, KILLS + 2):
            begun = f"attempt {attempt} begins"
            if attempt > 1:
                holder = wait_for(lambda: holder_of(database, job_id), "somebody holds it")
                os.kill(holder, signal.SIGKILL)
                killed = time.perf_counter()
                wait_for(lambda attempt=attempt: starts(database, job_id) >= attempt, begun)
                taken.append(time.perf_counter() - killed)
                with database.begin() as session:
                    session.execute(sa.delete(WorkerRow).where(WorkerRow.pid == holder))
            while workers(database) < 2:  # one trains, the other looks for jobs
                known = workers(database)
                command = started(place, "worker", TRAINYARD_LEASE_SECONDS=str(lease))
                stack.enter_context(command)
                wait_for(lambda known=known: workers(database) > known, "a worker works")
            wait_for(lambda attempt=attempt: starts(database, job_id) >= attempt, begun)
        with database.begin() as session:
            jobs.apply_action(session, job_id, "cancel", now=database_now(session))
        wait_for(lambda: holder_of(database, job_id) is None, "it is cancelled")
        with database.begin() as session:
            session.execute(sa.delete(WorkerRow))
    return taken


def holder_of(database: Database, job_id: str) -> int | None:
    """Find the process of the worker that holds a job."""
    held = sa.select(WorkerRow.pid).join(JobRow, JobRow.worker_id == WorkerRow.id)
    with database.read() as session:
        return session.scalars(held.where(JobRow.id == job_id)).one_or_none()


def starts(database: Database, job_id: str) -> int:
    """Count how often the training began; fails if it has ended."""
    with database.read() as session:
        assert jobs.find_statuses(session, [job_id])[job_id] in {"queued", "running"}
        listed = events.list_events(session, job_id, limit=100_000)
    return sum(event.type == "started" for event in listed)


def workers(database: Database) -> int:
    """Count the workers on the list."""
    with database.read() as session:
        return len(claims.list_workers(session))


def wait_for(find: Callable[[], ThingT | None], what: str) -> ThingT:
    """Ask until there is an answer that is neither None nor False."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        found = find()
        if found is not None and found is not False:
            return found
        time.sleep(0.01)
    message = f"it did not happen in time: {what}"
    raise TimeoutError(message)


PARTS: Mapping[str, Callable[[Callable[[], list[Place]]], None]] = {
    "claims": measure_claims,
    "past": measure_past,
    "kills": measure_kills,
}


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    given = parser.parse_args()
    print(f"{datetime.now(UTC).date()}, {cpu_name()}, {os.cpu_count()} cores", flush=True)
    with databases() as make:
        for part in given.parts or PARTS:
            PARTS[part](make)


if __name__ == "__main__":
    main()
