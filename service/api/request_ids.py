"""Every request has an id: the client's own, if it is a sane one, else a new one."""

import random
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"
_SANE = re.compile(r"[\w.:-]{1,128}", re.ASCII)


class RequestIds:
    """Middleware that takes or makes the id, and puts it into the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)


def request_id_of(scope: Scope) -> str:
    """Return the id of a request, the same one at every call."""
    state = scope.setdefault("state", {})
    if "request_id" not in state:
        given = Headers(scope=scope).get(HEADER, "")
        state["request_id"] = given if _SANE.fullmatch(given) else _new_id()
    return state["request_id"]


def _new_id() -> str:
    """Draw an id. It guards nothing, so it needs no call of the system, as a UUID does."""
    return f"{random.getrandbits(128):032x}"
