"""Requests that the end of the service cuts off: they are told so, as a problem."""

import asyncio

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import render
from service.domain.problems import Unavailable


class ShuttingDown(Unavailable):
    """The service ends, and the request did not come to its end within the grace it was given."""

    code = "shutting_down"
    title = "The service is shutting down"
    retry_after_seconds = 5

    def __init__(self) -> None:
        super().__init__(
            "The service is shutting down and could not wait for the request any longer. Send it "
            "again when the service is back."
        )


class CutOffAnswers:
    """Middleware that answers for a request whose task the server cancels at its end.

    The server by itself answers 500 in plain text (uvicorn 0.54, `run_asgi`).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if scope["type"] != "http" or started:  # half an answer cannot become another one
                raise
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            answer = render(Request(scope), ShuttingDown())
            answer.headers["Connection"] = "close"  # the rest of the body will not be read
            await answer(scope, receive, send)
