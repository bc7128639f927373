"""`POST /v1/models/{model}/predict`: texts, pictures or rows in, candidates or values out."""

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Query, Request, Response
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
from service.api.direct import SMALL_BYTES, hold_files
from service.api.doors import owner_of
from service.api.limits import begin_to_wait, still_heard, still_wanted
from service.api.parts import ModelPath, parts_of
from service.api.problems import problem_responses, refuse
from service.api.scopes import check_scope
from service.domain.evidence import MAX_INPUTS_WITH_EVIDENCE, MAX_NEIGHBOURS
from service.domain.predictions import (
    MAX_INPUTS,
    MAX_TOP_K,
    Input,
    PredictRequest,
    PredictResponse,
    Probabilities,
)

router = APIRouter(prefix="/v1/models", tags=["predictions"])

IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/bmp", "image/webp")
_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_BODY = takes(
    application_json=named(
        "PredictRequest",
        next_word={"inputs": ["I like eating", "내가 즐겨 먹는 것은"], "top_k": 5},
        pixels={"inputs": [[[0, 128, 255], [0, 128, 255], [0, 128, 255]]], "top_k": 3},
        picture={"inputs": [{"b64": "iVBORw0KGgo…"}]},
        row={"inputs": [{"month": 6, "hour": 13, "sky": "clear", "temperature": 27.5}]},
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


class Options(NamedTuple):
    """What JSON bodies say in themselves, and pictures in the address."""

    top_k: int
    probabilities: Probabilities
    abstain_below: float | None
    evidence: int | None


class Asked(NamedTuple):
    """The inputs in whatever form they came, and how to answer them."""

    inputs: Sequence[Input]
    options: Options
    special_tokens: bool = False
    small: bool = False
    in_session: PredictRequest | None = None
    """The whole body, where it names a session."""


TopK = Annotated[
    int, Query(ge=1, le=MAX_TOP_K, description="For pictures; JSON bodies have top_k.")
]
_FOR_PICTURES = "For pictures; JSON bodies have a field of this name."
EvidenceOf = Annotated[
    int | None,
    Query(
        ge=1,
        le=MAX_NEIGHBOURS,
        description="So many of the nearest training examples beside each answer; JSON bodies "
        "have a field of this name, too. A key needs the scope train.",
    ),
]


async def _asked(request: Request, options: Options) -> Asked:
    media_type = media_type_of(request)
    if is_json(media_type):
        body = await read_json(request, PredictRequest)
        if body.deadline_ms is not None:
            begin_to_wait(seconds=body.deadline_ms / 1000)
        small = not hold_files(body.inputs) and len(await request.body()) <= SMALL_BYTES
        options = Options(
            body.top_k, body.probabilities, body.abstain_below, body.evidence or options.evidence
        )
        in_session = None if body.session is None else body
        return Asked(body.inputs, options, body.special_tokens, small, in_session)
    if media_type in IMAGE_TYPES:
        pictures = [await request.body()]
        begin_to_wait()
    elif media_type == FORM:
        pictures = await _pictures(request)
    else:
        raise unsupported("application/json", *IMAGE_TYPES, FORM)
    return Asked(pictures, options)


async def _pictures(request: Request) -> list[bytes]:
    """Read the files of a form, in their order."""
    form = await read_form(request, max_parts=MAX_INPUTS)
    files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
    if not files:
        refuse("/file", "is required: send each picture as a file part of the form")
    return [await file.read() for file in files]


def _check_evidence(request: Request, asked: Asked, pointer: str) -> None:
    if not asked.options.evidence:
        return
    if parts_of(request.app).settings.keys:
        check_scope(request.scope, "train")  # evidence shows the dataset, as a preview does
    if asked.in_session is not None:
        refuse(pointer, "is not told in sessions; ask for it without one")
    if len(asked.inputs) > MAX_INPUTS_WITH_EVIDENCE:
        refuse(pointer, f"is for {MAX_INPUTS_WITH_EVIDENCE} inputs at once; ask for fewer")


@router.post(
    "/{model}/predict",
    response_model=PredictResponse,
    responses=problem_responses(400, 404, 409, 413, 415, 422, 503),
    openapi_extra=_BODY,
)
async def predict(
    model: ModelPath,
    request: Request,
    top_k: TopK = 5,
    probabilities: Annotated[Probabilities, Query(description=_FOR_PICTURES)] = "calibrated",
    abstain_below: Annotated[
        float | None, Query(ge=0, le=1, allow_inf_nan=False, description=_FOR_PICTURES)
    ] = None,
    explain: Annotated[
        Literal["input"] | None,
        Query(description="input: also answer each picture as the model saw it."),
    ] = None,
    evidence: EvidenceOf = None,
) -> Response:
    """Ask a model. `job_…` answers while the job still trains, from its newest checkpoint.

    With a `session`, the one input goes on behind all that was read and written in it.
    """
    asked = await _asked(request, Options(top_k, probabilities, abstain_below, evidence))
    _check_evidence(request, asked, "/query/evidence" if evidence else "/evidence")
    predictor = parts_of(request.app).predictor
    if asked.in_session is not None:
        if explain is not None:
            refuse("/query/explain", "shows pictures, and sessions are of texts; leave it out")
        answer = await predictor.predict_in_session(
            model,
            asked.in_session,
            owner=owner_of(request.scope),
            small=asked.small,
            wanted=still_wanted(request),
            heard=still_heard(request),
        )
        return Response(answer.model_dump_json(), media_type="application/json")
    answer = await predictor.predict(
        model,
        asked.inputs,
        top_k=asked.options.top_k,
        special_tokens=asked.special_tokens,
        probabilities=asked.options.probabilities,
        abstain_below=asked.options.abstain_below,
        show_input=explain == "input",
        evidence=asked.options.evidence,
        small=asked.small,
        wanted=still_wanted(request),
    )
    return Response(answer.model_dump_json(), media_type="application/json")
