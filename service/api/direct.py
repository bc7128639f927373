"""The short way of a prediction: what is asked for most often, past the routing of the framework.

To find a route, to read its parameters and to wrap it takes the framework longer than a small model
computes. A JSON body of `inputs`, with or without `top_k`, and without a query, needs none of that:
it is answered here, behind the doors and limits that all requests pass. Whatever else comes, and
whatever is wrong, takes the ordinary way, and so has the ordinary answers.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.limits import begin_to_wait, still_wanted
from service.api.parts import parts_of
from service.api.problems import render
from service.api.scopes import check_scope
from service.domain import validation
from service.domain.predictions import MAX_INPUTS, MAX_TOP_K, Input, PredictRequest
from service.domain.problems import Problem

SMALL_BYTES = 16 * 1024
"""JSON up to this size is turned into tensors at once; what takes longer goes to a thread."""

_PATH = re.compile(r"/v1/models/([!-.0-~]{1,512})/predict")
_LENGTH = re.compile(rb"\d{1,5}")
_DEFAULTS = PredictRequest(inputs=[None])


class Plain(NamedTuple):
    """What a plain question says."""

    inputs: Sequence[Input]
    top_k: int


class DirectPredictions:
    """Middleware, the innermost one, that answers plain questions itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        model = _plainly_asked(scope)
        if model is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            message = await receive()
        except Problem as problem:  # it did not come in time, and the framework is further inside
            await render(request, problem)(scope, receive, send)
            return
        asked = None if message.get("more_body") else plainly(message.get("body", b""))
        if asked is None:
            await self._app(scope, _again(message, receive), send)
            return
        try:
            answer = await _answer(request, model, asked)
        except Problem as problem:
            answer = render(request, problem)
        await answer(scope, receive, send)


def _plainly_asked(scope: Scope) -> str | None:
    """Return the model that a small JSON body without a query is sent to."""
    if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
        return None
    path = _PATH.fullmatch(scope["path"])
    headers = dict(scope["headers"]) if path else {}
    length = headers.get(b"content-length", b"")
    small = _LENGTH.fullmatch(length) and int(length) <= SMALL_BYTES
    plain = small and headers.get(b"content-type") == b"application/json"
    return path[1] if path and plain else None


async def _answer(request: Request, model: str, asked: Plain) -> Response:
    app: FastAPI = request.app
    parts = parts_of(app)
    if parts.settings.keys:
        check_scope(request.scope, "predict")
    begin_to_wait()
    answer = await parts.predictor.predict(
        model,
        asked.inputs,
        top_k=asked.top_k,
        special_tokens=_DEFAULTS.special_tokens,
        small=True,
        wanted=still_wanted(request),
    )
    return Response(answer.model_dump_json(), media_type="application/json")


def plainly(raw: bytes) -> Plain | None:
    """Read `{"inputs": […]}`, and perhaps `top_k`; None for all that needs a closer look."""
    body = validation.plain_json(raw)
    if not isinstance(body, dict) or not body.keys() <= {"inputs", "top_k"}:
        return None
    inputs, top_k = body.get("inputs"), body.get("top_k", _DEFAULTS.top_k)
    if not isinstance(inputs, list) or not 0 < len(inputs) <= MAX_INPUTS or hold_files(inputs):
        return None
    if not isinstance(top_k, int) or isinstance(top_k, bool) or not 0 < top_k <= MAX_TOP_K:
        return None
    return Plain(inputs, top_k)


def hold_files(inputs: Sequence[Input]) -> bool:
    """Tell whether there are files in base64: they take time to be read, however short they are."""
    return any(isinstance(each, dict) and "b64" in each for each in inputs)


def _again(message: Message, receive: Receive) -> Receive:
    """Give what has come already to whoever reads the body next."""
    read: list[Message] = [message]

    async def receive_again() -> Message:
        return read.pop() if read else await receive()

    return receive_again
