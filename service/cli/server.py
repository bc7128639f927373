"""The HTTP server: a socket of our own, one line on stdout when ready, and signals that drain."""

import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from service.cli import output
from service.cli.connections import Connection

KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle: longer than proxies keep theirs, so that they close first."""

GRACE_SECONDS = 20
"""How long requests in flight may take to be answered after the first signal."""


def announce(url: str) -> None:
    """Print the URL of a service that listens, for people and for scripts that wait for it."""
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


class Server(uvicorn.Server):
    """A server whose signals are handled by `draining`, and that says when it listens."""

    def __init__(
        self, app: FastAPI, listener: socket.socket, *, ready: Callable[[str], None] = announce
    ) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,  # uvicorn's own writes the access log to stdout
            access_log=False,  # api/access.py writes one that says what ours needs
            http=Connection,
            reset_contextvars=True,  # or a request's deadline holds for those behind it, too
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            server_header=False,
        )
        super().__init__(config)
        self._listener = listener
        self._ready = ready

    def serve_until_told(self) -> None:
        """Serve until `should_exit` is set and every request in flight is answered."""
        self.run(sockets=[self._listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then say so: whoever hears it may connect at once."""
        await super().startup(sockets)
        self._ready(url_of(self._listener))

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals alone: the worker beside the server must hear them, too."""
        yield


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Bind a socket; port 0 picks a free one. Raises OSError with plain words.

    What is `shared` may be bound by other processes, too, if all of them say so.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        message = f"cannot listen on {host} port {port}: {error.strerror}"
        raise OSError(error.errno, message) from error
    listener.set_inheritable(False)
    return listener


def refuse_address(error: OSError) -> None:
    """Say in plain words why `listen` failed, and what to do."""
    output.print_error(f"{error.strerror}. Choose another with --port, or 0 for a free one.")


def allow_many_connections() -> None:
    """Raise the bound on open files as far as the system lets us: 1,024 are few for a server."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def url_of(listener: socket.socket) -> str:
    """Write the address of a bound socket as a URL."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def draining(drain: Callable[[], None]) -> Generator[None]:
    """Call `drain` at the first SIGTERM or SIGINT; the second ends the process at once.

    What a process leaves undone by ending at once is no loss: its jobs' leases expire, its children
    notice that it is gone, and another worker goes on from their newest checkpoints.
    """
    told = False

    def hear(number: int, _frame: FrameType | None) -> None:
        nonlocal told
        if told:
            os._exit(128 + number)
        told = True
        drain()

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, hear) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
