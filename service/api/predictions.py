"""`POST /v1/models/{model}/predict`: texts, pixels or pictures in, candidates out."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import UploadFile

from service.api.bodies import (
    FORM,
    is_json,
    media_type_of,
    named,
    read_form,
    read_json,
    takes,
    unsupported,
)
from service.api.parts import ModelPath, PartsOf
from service.api.problems import problem_responses, refuse
from service.domain.predictions import MAX_INPUTS, Input, PredictRequest, PredictResponse

router = APIRouter(prefix="/v1/models", tags=["predictions"])

IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/bmp", "image/webp")
_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_BODY = takes(
    application_json=named(
        "PredictRequest",
        next_word={"inputs": ["I like eating", "내가 즐겨 먹는 것은"], "top_k": 5},
        pixels={"inputs": [[[0, 128, 255], [0, 128, 255], [0, 128, 255]]], "top_k": 3},
        picture={"inputs": [{"b64": "iVBORw0KGgo…"}]},
    ),
    image_png=_PICTURE,
    image_jpeg=_PICTURE,
    multipart_form_data={
        "schema": {
            "type": "object",
            "properties": {"file": {"type": "string", "format": "binary"}},
        }
    },
)


class Asked(NamedTuple):
    """The inputs in whatever form they came, and how to answer them."""

    inputs: Sequence[Input]
    top_k: int
    special_tokens: bool


TopK = Annotated[int, Query(ge=1, le=1000, description="For pictures; JSON bodies have top_k.")]


async def _asked(request: Request, top_k: TopK = 5) -> Asked:
    media_type = media_type_of(request)
    if is_json(media_type):
        body = await read_json(request, PredictRequest)
        return Asked(body.inputs, body.top_k, body.special_tokens)
    if media_type in IMAGE_TYPES:
        return Asked([await request.body()], top_k, special_tokens=False)
    if media_type == FORM:
        return Asked(await _pictures(request), top_k, special_tokens=False)
    raise unsupported("application/json", *IMAGE_TYPES, FORM)


async def _pictures(request: Request) -> list[bytes]:
    """Read the files of a form, in their order."""
    form = await read_form(request, max_parts=MAX_INPUTS)
    files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
    if not files:
        refuse("/file", "is required: send each picture as a file part of the form")
    return [await file.read() for file in files]


@router.post(
    "/{model}/predict",
    responses=problem_responses(400, 404, 409, 413, 415, 422, 503),
    openapi_extra=_BODY,
)
def predict(
    model: ModelPath, asked: Annotated[Asked, Depends(_asked)], parts: PartsOf
) -> PredictResponse:
    """Ask a model. `job_…` answers while the job still trains, from its newest checkpoint."""
    return parts.predictor.predict(
        model, asked.inputs, top_k=asked.top_k, special_tokens=asked.special_tokens
    )
