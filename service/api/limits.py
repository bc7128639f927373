"""What bounds a request: the bytes of its body, the time it may take to arrive, free threads."""

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import BodyTooLarge, TooSlow, render
from service.domain.problems import Busy
from service.store.deadline import begin_within, ends_at

PIECE_SECONDS = 30.0
"""How long the next piece of a body may take to arrive."""

SLOWEST_BYTES_PER_SECOND = 10_000
"""Who sends a body more slowly than this, after the first piece's time, holds a place for ever."""

MAX_WAITING = 1000
"""Requests that may wait for a thread."""

WAIT_SECONDS = 5.0
"""How long one may wait for it: after that it is told so, at once when its turn comes."""


IS_CLOSING = "trainyard.is_closing"
"""The ASGI extension by which the server tells whether a connection ends."""


class Gate:
    """Lets so many in at a time; who comes then is turned away at once, and not kept waiting."""

    def __init__(self, places: int) -> None:
        self._free = places

    @contextmanager
    def place(self) -> Generator[None]:
        """Take a place until the end of the block. Raises Busy. For one thread's use."""
        if self._free == 0:
            raise Busy
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


async def refuse_when_full() -> None:
    """Dependency of every path that needs a thread: a queue without end helps nobody."""
    if current_default_thread_limiter().statistics().tasks_waiting >= MAX_WAITING:
        raise Busy
    begin_to_wait()


def begin_to_wait(*, seconds: float = WAIT_SECONDS) -> None:
    """Count the time from now on: a body has been read, or a job has been waited for."""
    begin_within(seconds)


def still_wanted(request: Request) -> Callable[[], bool]:
    """Make the test of whether an answer helps anybody: its client is there, and in time."""
    until, is_heard = ends_at(), still_heard(request)
    return lambda: time.monotonic() <= until and is_heard()


def still_heard(request: Request) -> Callable[[], bool]:
    """Make the test of whether the client is there, for what has begun in time."""
    is_closing: Callable[[], bool] = request.scope.get("extensions", {}).get(IS_CLOSING, bool)
    return lambda: not is_closing()


async def is_heard(request: Request) -> bool:
    """Ask the connection itself, between two pieces of work; by any server."""
    return not await request.is_disconnected()


class BodyLimits:
    """Middleware: bodies that stop arriving are given up; too large ones are told so as a problem.

    The framework counts the bytes (`max_body_size`), but answers 413 in plain text by itself.
    """

    piece_seconds = PIECE_SECONDS

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        replaced = complete = False
        received = 0
        started = time.monotonic()

        async def receive_in_time() -> Message:
            nonlocal complete, received
            if complete:  # what comes now is the end of the connection, at any time
                return await receive()
            earned = self.piece_seconds + received / SLOWEST_BYTES_PER_SECOND
            left = started + earned - time.monotonic()
            try:
                async with asyncio.timeout(min(left, self.piece_seconds)):
                    message = await receive()
            except TimeoutError:
                raise TooSlow from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            return message

        async def send_problem(message: Message) -> None:
            nonlocal replaced
            if replaced:
                return
            if _is_plain_413(message):
                replaced = True
                await render(Request(scope), BodyTooLarge())(scope, receive, send)
                return
            await send(message)

        await self._app(scope, receive_in_time, send_problem)


def _is_plain_413(message: Message) -> bool:
    """Tell the framework's answer from a problem of ours."""
    if message["type"] != "http.response.start" or message["status"] != 413:
        return False
    return Headers(raw=message["headers"]).get("content-type", "").startswith("text/plain")
