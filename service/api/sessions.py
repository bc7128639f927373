"""`/v1/models/{model}/sessions/{session}`: forget a session before it expires."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from service.api.doors import owner_of
from service.api.parts import ModelPath, PartsOf
from service.api.problems import problem_responses
from service.domain.sessions import SessionId

router = APIRouter(prefix="/v1/models", tags=["predictions"])
SessionPath = Annotated[SessionId, Path(description="The session's id.", examples=["play-1"])]


@router.delete(
    "/{model}/sessions/{session:path}",
    status_code=204,
    responses=problem_responses(400, 404, 409, 422),
)
async def delete_session(
    model: ModelPath, session: SessionPath, parts: PartsOf, request: Request
) -> None:
    """Forget what was read and written in a session of this key with this version."""
    await parts.predictor.delete_session(model, session, owner=owner_of(request.scope))
