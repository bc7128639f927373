"""A part of isolation.py: 1,000 connections that only stand there, and 200 that wait for a job."""

import asyncio
import resource
import sys
from urllib.parse import urlsplit

IDLE = 1_000
WAITING = 200


async def main(service: str, job_id: str) -> None:
    """Open the connections, say so, and hold them until the process is ended."""
    address = urlsplit(service)
    idle = await asyncio.gather(
        *(asyncio.open_connection(address.hostname, address.port) for _ in range(IDLE))
    )
    hello = f"GET /livez HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()
    for reader, writer in idle:  # kept alive from now on
        writer.write(hello)
        await reader.readuntil(b"\r\n\r\n")
    wait = f"GET /v1/jobs/{job_id} HTTP/1.1\r\nHost: {address.netloc}\r\nPrefer: wait=60\r\n\r\n"
    for _ in range(WAITING):
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(wait.encode())
        await writer.drain()
        idle.append((_, writer))
    await asyncio.sleep(1)
    sys.stdout.write("there\n")
    sys.stdout.flush()
    await asyncio.sleep(300)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        asyncio.run(main(*sys.argv[1:]))
