"""`GET /v1/models/{model}/predictions-over-time`: how an answer changed while a model trained."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request

from service.api.limits import begin_to_wait, is_heard, still_heard
from service.api.parts import ModelPath, PartsOf
from service.api.problems import problem_responses
from service.domain.predictions import MAX_TOP_K, PredictionsOverTime
from service.domain.text import LongText

router = APIRouter(prefix="/v1/models", tags=["predictions"])


@router.get("/{model}/predictions-over-time", responses=problem_responses(404, 409, 422, 503))
async def predictions_over_time(
    model: ModelPath,
    parts: PartsOf,
    request: Request,
    question: Annotated[
        LongText,
        Query(
            alias="input",
            description="A text; for models of rows and pictures one input of /predict as JSON.",
            examples=["I like eating"],
        ),
    ] = "",
    top_k: Annotated[int, Query(ge=1, le=MAX_TOP_K, description="Candidates for each.")] = 5,
    limit: Annotated[
        int, Query(ge=1, le=100, description="Of more checkpoints, so many from first to last.")
    ] = 20,
) -> PredictionsOverTime:
    """Ask every kept checkpoint of the model's job the same, in the order of the training.

    How many are kept says `training.checkpoint` of the job: `every_steps` and `keep_periodic`.
    """
    begin_to_wait()
    return await parts.predictor.over_time(
        model,
        question,
        top_k=top_k,
        limit=limit,
        is_heard=partial(is_heard, request),
        wanted=still_heard(request),
    )
