"""The short way of a prediction: what is asked for most often, past the reading of parameters.

The framework looks at each parameter of a route again for each request, which takes longer than a
small model does. A JSON body of `inputs` alone, without a query, needs none of that. Whatever else
comes, and whatever is wrong, takes the ordinary way, and so has the ordinary answers.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from service.api.bodies import media_type_of
from service.api.limits import begin_to_wait
from service.api.parts import parts_of
from service.api.scopes import check_scope
from service.domain import validation
from service.domain.predictions import MAX_INPUTS, Input

SMALL_BYTES = 16 * 1024
"""JSON up to this size is turned into tensors at once; what takes longer goes to a thread."""

_LONGEST_NAME = 512


class PredictRoute(APIRoute):
    """A route that answers plain questions itself."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Try the short way first."""
        ordinary = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await _answer(request) or await ordinary(request)

        return handle


async def _answer(request: Request) -> Response | None:
    """Answer what is plain, None else. Raises what the ordinary way would."""
    model: str = request.path_params["model"]
    if request.scope["query_string"] or media_type_of(request) != "application/json":
        return None
    if not (model.isascii() and model.isprintable() and len(model) <= _LONGEST_NAME):
        return None
    parts = parts_of(request.app)
    if parts.settings.keys:
        check_scope(request.scope, "predict")
    raw = await request.body()  # which is kept for the ordinary way
    inputs = plain_inputs(raw) if len(raw) <= SMALL_BYTES else None
    if inputs is None:
        return None
    begin_to_wait()
    answer = await parts.predictor.predict(model, inputs, top_k=5, special_tokens=False, small=True)
    return Response(answer.__pydantic_serializer__.to_json(answer), media_type="application/json")


def plain_inputs(raw: bytes) -> Sequence[Input] | None:
    """Read `{"inputs": […]}` and nothing else; None for all that needs a closer look."""
    body = validation.plain_json(raw)
    if not isinstance(body, dict) or len(body) != 1:
        return None
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not 0 < len(inputs) <= MAX_INPUTS:
        return None
    # Pictures in base64 take time to be read, however few bytes they have.
    if any(isinstance(each, dict) and "b64" in each for each in inputs):
        return None
    return inputs
