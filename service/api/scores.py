"""`POST /v1/models/{model}/score`: how probable a model finds texts."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from service.api.bodies import named, read_json, takes
from service.api.limits import begin_to_wait, is_heard
from service.api.parts import ModelPath, PartsOf
from service.api.problems import problem_responses
from service.domain.scores import ScoreRequest, ScoreResponse

router = APIRouter(prefix="/v1/models", tags=["predictions"])


async def _score_request(request: Request) -> ScoreRequest:
    return await read_json(request, ScoreRequest)


@router.post(
    "/{model}/score",
    response_model=ScoreResponse,
    responses=problem_responses(400, 404, 409, 413, 415, 422, 503),
    openapi_extra=takes(
        application_json=named(
            "ScoreRequest", two={"inputs": ["I like eating rice", "rice eating like I"]}
        )
    ),
)
async def score(
    model: ModelPath,
    body: Annotated[ScoreRequest, Depends(_score_request)],
    parts: PartsOf,
    request: Request,
) -> Response:
    """Score texts: ln of the probability of each token after those before it, and perplexity."""
    begin_to_wait()
    heard = partial(is_heard, request)
    answer = await parts.predictor.score(model, body.inputs, is_heard=heard)
    return Response(answer.model_dump_json(), media_type="application/json")
