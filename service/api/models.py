"""`/v1/models`: names, their versions, and what each was made of."""

from fastapi import APIRouter

from service.api.parts import After, DatabaseOf, Limit, ModelPath
from service.api.problems import problem_responses
from service.domain.models import Model, ModelList, ModelVersion, ModelVersionList
from service.domain.text import ShortText
from service.store import models as model_store

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", responses=problem_responses(400, 422))
def list_models(
    database: DatabaseOf,
    limit: Limit = 20,
    after: After = None,
    task: ShortText | None = None,
    tag: ShortText | None = None,
) -> ModelList:
    """List named models, newest first; the cursor is the name."""
    with database.read() as session:
        return model_store.list_models(session, limit=limit, after=after, task=task, tag=tag)


@router.get("/{model}", responses=problem_responses(404))
def get_model(model: ModelPath, database: DatabaseOf) -> Model | ModelVersion:
    """Read a model by its name, or one version as `name@3`, `name@alias` or `mdl_…`."""
    with database.read() as session:
        if "@" in model or model.startswith("mdl_"):
            return model_store.get_version(session, model)
        return model_store.get_model(session, model)


@router.get("/{model}/versions", responses=problem_responses(400, 404, 422))
def list_versions(
    model: ModelPath, database: DatabaseOf, limit: Limit = 20, after: After = None
) -> ModelVersionList:
    """List the versions of a named model, newest first. They never change."""
    with database.read() as session:
        return model_store.list_versions(session, model, limit=limit, after=after)
