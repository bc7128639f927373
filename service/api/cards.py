"""`GET /v1/models/{model}/card`: what a version is made of and worth, for people and programs."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from service.api.parts import DatabaseOf, ModelPath
from service.api.problems import problem_responses
from service.domain.card_text import markdown
from service.domain.cards import ModelCard
from service.store import cards

router = APIRouter(prefix="/v1/models", tags=["models"])
MARKDOWN = "text/markdown"


@router.get(
    "/{model}/card",
    response_model=ModelCard,
    responses={
        200: {"content": {MARKDOWN: {"example": "# eating@1\n"}}},
        **problem_responses(404),
    },
)
def get_card(
    model: ModelPath,
    database: DatabaseOf,
    accept: Annotated[str, Header(description="`text/markdown` for a page to read.")] = "*/*",
) -> Response:
    """Read a version's card: data, training, metrics with intervals, calibration, limits."""
    with database.read() as session:
        card = cards.get_card(session, model)
    vary = {"Vary": "Accept"}
    if MARKDOWN in accept:
        return Response(markdown(card), media_type=f"{MARKDOWN}; charset=utf-8", headers=vary)
    return Response(card.model_dump_json(), media_type="application/json", headers=vary)
