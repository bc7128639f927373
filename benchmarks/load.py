"""A client that costs little: one HTTP request, sent again and again over open connections.

Latencies are measured here, from the first byte sent to the last byte received. Closed loop: each
connection sends its next request when it has the answer; with a rate, it waits for its turn.
"""

import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit


class Load(NamedTuple):
    """What is sent where: `rate` in requests per second over all connections, None for no pause."""

    url: str
    body: bytes
    connections: int
    seconds: float
    rate: float | None = None
    headers: str = "Content-Type: application/json\r\n"
    method: str = "POST"


class Measured(NamedTuple):
    """What came back. Latencies in milliseconds."""

    per_second: float
    p50: float
    p99: float
    errors: int


Sender = Callable[[Load], Measured]


@contextmanager
def sender() -> Generator[Sender]:
    """Start a process that sends loads, so that no load pays for its start."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(os.getpid)
        yield lambda load: summary(*pool.apply(_send_all, (load,)))


def measure(load: Load) -> Measured:
    """Send one load from a process of its own."""
    with sender() as send:
        return send(load)


def summary(latencies: Sequence[float], errors: int, seconds: float) -> Measured:
    """Sum up latencies that are in seconds."""
    ordered = sorted(latencies) or [float("nan")]
    return Measured(
        per_second=len(latencies) / seconds,
        p50=1000 * ordered[len(ordered) // 2],
        p99=1000 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        errors=errors,
    )


def _send_all(load: Load) -> tuple[list[float], int, float]:
    return asyncio.run(_run(load))


async def _run(load: Load) -> tuple[list[float], int, float]:
    address = urlsplit(load.url)
    head = (
        f"{load.method} {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"{load.headers}Content-Length: {len(load.body)}\r\n\r\n"
    )
    request = head.encode() + load.body
    latencies: list[float] = []
    errors = 0
    started = time.perf_counter()
    ends = started + load.seconds

    async def caller(number: int) -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        pause = load.connections / load.rate if load.rate else 0.0
        turn = started + pause * number / load.connections
        while time.perf_counter() < ends:
            if pause:
                await asyncio.sleep(max(0.0, turn - time.perf_counter()))
                turn += pause
            sent = time.perf_counter()
            writer.write(request)
            status = await _answer(reader)
            latencies.append(time.perf_counter() - sent)
            errors += status != b"200"
        writer.close()

    await asyncio.gather(*(caller(number) for number in range(load.connections)))
    return latencies, errors, time.perf_counter() - started


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Read one answer to its end; return its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return head[9:12]


if __name__ == "__main__":
    sys.stderr.write("a part of serving.py; nothing to run here\n")
