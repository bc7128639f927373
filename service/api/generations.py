"""`POST /v1/models/{model}/generate`: a text written on, whole or token by token."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from service.api import streams
from service.api.bodies import named, read_json, takes
from service.api.doors import owner_of
from service.api.limits import begin_to_wait, is_heard
from service.api.parts import ModelPath, Parts, PartsOf
from service.api.problems import problem_responses
from service.domain.generations import GenerateRequest, Generation
from service.prediction.engine import Writing

router = APIRouter(prefix="/v1/models", tags=["predictions"])
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


async def _generate_request(request: Request) -> GenerateRequest:
    return await read_json(request, GenerateRequest)


@router.post(
    "/{model}/generate",
    response_model=Generation,
    responses={
        200: {
            "content": {
                streams.MEDIA_TYPE: {
                    "schema": {  # of one event
                        "type": "object",
                        "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
                    },
                    "example": 'event: token\ndata: {"token":"rice","text":" rice",…}\n\n',
                }
            }
        },
        **problem_responses(400, 404, 409, 413, 415, 422, 503),
    },
    openapi_extra=takes(
        application_json=named(
            "GenerateRequest",
            eating={"prompt": "I like", "max_tokens": 20, "temperature": 0.8, "seed": 1},
            stream={"prompt": "내가 즐겨", "top_p": 0.9, "stop": ["."], "stream": True},
        )
    ),
)
async def generate(
    model: ModelPath,
    body: Annotated[GenerateRequest, Depends(_generate_request)],
    parts: PartsOf,
    request: Request,
) -> Response:
    """Write a text on. With `stream`, as server-sent events: `token` for each, then `end`.

    The data of `token` is an item of `tokens`, that of `end` the whole answer. A client that goes
    away ends the writing. With a `session`, the text goes on behind all that was read and written
    in it; one that breaks off leaves the session as it was.
    """
    owner = owner_of(request.scope)
    writing = await parts.predictor.begin_to_write(model, body, owner=owner)
    begin_to_wait()
    if body.stream:
        events = _events(parts, writing)
        return StreamingResponse(events, media_type=streams.MEDIA_TYPE, headers=STREAM_HEADERS)
    async for _ in parts.predictor.write(writing):
        if not await is_heard(request):
            break  # nobody reads on
    return Response(writing.generation().model_dump_json(), media_type="application/json")


async def _events(parts: Parts, writing: Writing) -> AsyncIterator[bytes]:
    async for written in parts.predictor.write(writing):
        for token in written.tokens:
            yield streams.frame("token", token.model_dump_json())
    yield streams.frame("end", writing.generation().model_dump_json())
