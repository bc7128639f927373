"""The log of requests: who asked for what, how large it was, how it ended. Never what was in it."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.doors import OPEN_PATHS, key_of
from service.api.request_ids import request_id_of

log = logging.getLogger("trainyard.requests")


class AccessLog:
    """Middleware that writes a line for every answered request; probes only at DEBUG."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        level = logging.DEBUG if scope["path"] in OPEN_PATHS else logging.INFO
        if not log.isEnabledFor(level):
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        received = sent = status = 0

        async def counting_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def counting_send(message: Message) -> None:
            nonlocal sent, status
            if message["type"] == "http.response.start":
                status = message["status"]
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, counting_receive, counting_send)
        finally:
            key = key_of(scope)
            log.log(
                level,
                "%s %s %s, %d bytes in, %d out, %.1f ms, %s%s",
                scope["method"],
                # As it was sent: percent-encoded, so that no path writes lines of its own.
                scope.get("raw_path", b"").decode("ascii", "backslashreplace"),
                status or "unanswered",
                received,
                sent,
                1000 * (time.perf_counter() - started),
                request_id_of(scope),
                f", {key.name}" if key else "",
            )
