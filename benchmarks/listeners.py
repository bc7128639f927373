"""500 who listen to one job: what that costs others and the training. And what NOTIFY would cost.

The job trains while reads of another job are sent at a steady rate, with and without listeners, in
turn. NOTIFY: eight connections that commit as often as they can, with and without it; a disk is
waited for, or not.
"""

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from benchmarks.load import Load, Measured, measure
from benchmarks.postgresql import stoppable_postgresql
from benchmarks.running import trainyard
from service.client import Client
from service.training.device import cpu_name

LISTENERS = 500
RATE = 50.0
WRITERS = 8
JOB = {
    "dataset": "fashion-mnist-mini",
    "architecture": "cnn",
    "training": {"max_steps": 1_000_000, "checkpoint": {"every_steps": 25}},
}
WORDS = {"dataset": "eating", "architecture": "rnn", "training": {"max_steps": 5}}
LISTEN = "listen"


def main() -> None:
    """Measure and print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=8.0)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    print(f"{datetime.now(UTC).date()}, {cpu_name()}, {os.cpu_count()} cores\n", flush=True)
    with tempfile.TemporaryDirectory() as folder, trainyard(Path(folder)) as service:
        listeners(service.url, given.seconds, given.rounds)
    print(
        f"\n| {WRITERS} writers on PostgreSQL: commits with NOTIFY | ratio to none | |", flush=True
    )
    print("| --- | ---: | --- |", flush=True)
    for durable in (True, False):
        ratios = notify(given.seconds / 2, given.rounds, durable=durable)
        print(_row(f"`fsync` {'on' if durable else 'off'}", ratios), flush=True)


def listeners(url: str, seconds: float, rounds: int) -> None:
    """Compare reads and training with and without listeners."""
    p99: list[float] = []
    speed: list[float] = []
    with Client(url, timeout=120) as client:
        other = client.wait_for_job(client.create_job(WORDS).id, deadline=120)
        began, job = time.perf_counter(), client.create_job(JOB)
        while client.get_job(job.id).progress.step < 5:
            time.sleep(0.2)
        target = f"{url}/v1/jobs/{other.id}"
        load = Load(target, b"", 4, seconds, rate=RATE, method="GET")
        for _ in range(rounds):
            alone, alone_speed = _beside(client, job.id, load)
            with crowd(url, job.id):
                crowded, crowded_speed = _beside(client, job.id, load)
            p99.append(crowded.p99 / alone.p99)
            speed.append(crowded_speed / alone_speed)
            print(f"  p99 {alone.p99:.1f} ms alone, {crowded.p99:.1f} ms beside", flush=True)
        client.cancel_job(job.id)
        each = (time.perf_counter() - began) / sum(1 for _ in client.events(job.id))
    print(f"\n| {LISTENERS} listeners, an event every {each:.1f} s | ratio to none | |")
    print("| --- | ---: | --- |")
    print(_row(f"p99 of reading another job, {RATE:.0f} a second", p99))
    print(_row("steps per second of the training", speed), flush=True)


def _row(what: str, ratios: list[float]) -> str:
    median = statistics.median(ratios)
    return f"| {what} | {median:.2f} | {min(ratios):.2f} to {max(ratios):.2f} |"


def _beside(client: Client, job_id: str, load: Load) -> tuple[Measured, float]:
    before, began = client.get_job(job_id).progress.step, time.perf_counter()
    measured = measure(load)
    steps = client.get_job(job_id).progress.step - before
    if measured.errors or not steps:
        sys.exit(f"{measured.errors} errors, {steps} steps: is this machine too busy?")
    return measured, steps / (time.perf_counter() - began)


def notify(seconds: float, rounds: int, *, durable: bool) -> list[float]:
    """Compare commits per second with and without NOTIFY."""
    ratios: list[float] = []
    with stoppable_postgresql(durable=durable) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE jobs (id int PRIMARY KEY, seq int)")
            numbers = "INSERT INTO jobs SELECT number, 0 FROM generate_series(1, %s) number"
            connection.execute(numbers, (WRITERS,))
        for _ in range(rounds):
            plain = _commits(server.url, "SELECT 1", seconds)
            notified = _commits(server.url, "SELECT pg_notify('jobs', 'job')", seconds)
            ratios.append(notified / plain)
    return ratios


def _commits(url: str, with_each: str, seconds: float) -> float:
    counts = [0] * WRITERS
    ends = time.perf_counter() + seconds

    def write(number: int) -> None:
        with psycopg.connect(url) as connection:
            while time.perf_counter() < ends:
                connection.execute("UPDATE jobs SET seq = seq + 1 WHERE id = %s", (number + 1,))
                connection.execute(with_each.encode())
                connection.commit()
                counts[number] += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


@contextmanager
def crowd(url: str, job_id: str) -> Generator[None]:
    """Listen from a process of its own, which ends when one stream does."""
    command = [sys.executable, __file__, LISTEN, url, job_id]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"there"
        try:
            yield
            assert process.poll() is None, "a stream ended"
        finally:
            process.terminate()


async def _listen(url: str, job_id: str) -> None:
    """Open the streams, say so, and read on until the process is ended."""
    address = urlsplit(url)
    path = f"/v1/jobs/{job_id}/events"
    ask = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAccept: text/event-stream\r\n\r\n"

    async def one() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(ask.encode())
        await reader.readuntil(b"id: 1\n")
        opened.release()
        while await reader.read(1 << 16):
            pass
        raise ConnectionError

    opened = asyncio.Semaphore(0)
    streams = [asyncio.create_task(one()) for _ in range(LISTENERS)]
    for _ in streams:
        await opened.acquire()
    await asyncio.sleep(1)
    sys.stdout.write("there\n")
    sys.stdout.flush()
    await asyncio.gather(*streams)


if __name__ == "__main__":
    if sys.argv[1:2] == [LISTEN]:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        asyncio.run(_listen(*sys.argv[2:]))
    else:
        main()
