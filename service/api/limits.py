"""Bodies over the limit: the framework counts the bytes, we say it as a problem."""

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import BodyTooLarge, render


class TooLargeAnswers:
    """Middleware around `max_body_size`, which answers 413 in plain text by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        replaced = False

        async def send_problem(message: Message) -> None:
            nonlocal replaced
            if replaced:
                return
            if _is_plain_413(message):
                replaced = True
                await render(Request(scope), BodyTooLarge())(scope, receive, send)
                return
            await send(message)

        await self._app(scope, receive, send_problem)


def _is_plain_413(message: Message) -> bool:
    """Tell the framework's answer from a problem of ours."""
    if message["type"] != "http.response.start" or message["status"] != 413:
        return False
    return Headers(raw=message["headers"]).get("content-type", "").startswith("text/plain")
