"""`/v1/models/{model}`: describe a model, move its aliases, delete it or a version."""

from typing import Annotated

from anyio import from_thread
from fastapi import APIRouter, Depends, Path, Request

from service.api.bodies import named, read_json, takes
from service.api.parts import DatabaseOf, ModelPath, PartsOf
from service.api.problems import problem_responses
from service.domain.models import Alias, AliasRequest, Model, ModelChange
from service.domain.text import AliasName, Name
from service.store import registry
from service.store.engine import database_now

router = APIRouter(prefix="/v1/models", tags=["models"])
deletion = APIRouter(prefix="/v1/models", tags=["models"])
NamePath = Annotated[Name, Path(description="The model's name.", examples=["eating"])]
AliasPath = Annotated[
    AliasName, Path(description="What stands behind the @ of a model.", examples=["champion"])
]


async def _model_change(request: Request) -> ModelChange:
    return await read_json(request, ModelChange)


async def _alias_request(request: Request) -> AliasRequest:
    return await read_json(request, AliasRequest)


@router.patch(
    "/{model}",
    responses=problem_responses(400, 404, 413, 415, 422),
    openapi_extra=takes(
        application_json=named(
            "ModelChange",
            described={
                "description": "Completes sentences about food.",
                "tags": ["한국어"],
            },
        )
    ),
)
def change_model(
    model: NamePath, body: Annotated[ModelChange, Depends(_model_change)], database: DatabaseOf
) -> Model:
    """Say what a model is for, and by which words it is found. Versions never change."""
    with database.begin() as session:
        return registry.change_model(session, model, body)


@router.put(
    "/{model}/aliases/{alias}",
    responses=problem_responses(400, 404, 413, 415, 422),
    openapi_extra=takes(application_json=named("AliasRequest", third={"version": 3})),
)
def set_alias(
    model: NamePath,
    alias: AliasPath,
    body: Annotated[AliasRequest, Depends(_alias_request)],
    parts: PartsOf,
) -> Alias:
    """Let `model@alias` stand for a version from now on: who asks for it notices nothing else.

    The version is loaded before this is answered; other processes see the change within a second.
    """
    with parts.database.begin() as session:
        now = database_now(session)
        moved = registry.set_alias(session, model, alias, body.version, now=now)
    from_thread.run(parts.predictor.alias_moved, model, alias)
    return moved


@router.delete("/{model}/aliases/{alias}", status_code=204, responses=problem_responses(404, 422))
def delete_alias(model: NamePath, alias: AliasPath, database: DatabaseOf) -> None:
    """Forget an alias. The version it stood for stays."""
    with database.begin() as session:
        registry.delete_alias(session, model, alias)


@deletion.delete("/{model}", status_code=204, responses=problem_responses(404, 409))
def delete_model(model: ModelPath, database: DatabaseOf) -> None:
    """Delete a version (`name@3`, `mdl_…`), or a model with all of its versions.

    Its jobs stay, with their checkpoints. A number is never given to another version.
    """
    with database.begin() as session:
        registry.delete_model(session, model)
