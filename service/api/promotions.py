"""`POST /v1/models/{name}/versions`: serve a checkpoint of any job as a model's next version."""

from typing import Annotated
from urllib.parse import quote

from anyio import from_thread
from fastapi import APIRouter, Depends, Path, Request, Response

from service.api.bodies import named, read_json, takes
from service.api.idempotency import Once
from service.api.parts import Parts, PartsOf
from service.api.problems import problem_responses
from service.domain.models import ModelVersion, PromotionRequest
from service.domain.text import Name
from service.store import blobs as blob_store
from service.store import models as model_store
from service.store import versions
from service.store.engine import database_now
from service.store.errors import BlobGone, CheckpointNotFound, ModelNotFound

router = APIRouter(prefix="/v1/models", tags=["models"])
NamePath = Annotated[Name, Path(description="The model's name.", examples=["eating"])]


async def _promotion_request(request: Request) -> PromotionRequest:
    return await read_json(request, PromotionRequest)


@router.post(
    "/{model}/versions",
    status_code=201,
    response_model=ModelVersion,
    responses=problem_responses(400, 404, 409, 413, 415, 422),
    openapi_extra=takes(
        application_json=named("PromotionRequest", checkpoint={"checkpoint": "ckpt_0198c0de"})
    ),
)
def promote_checkpoint(
    model: NamePath,
    once: Once,
    body: Annotated[PromotionRequest, Depends(_promotion_request)],
    parts: PartsOf,
) -> Response:
    """Make a checkpoint the next version of a model; a name that is new makes a new model.

    The job may be running, paused, failed or cancelled, and be deleted afterwards.
    """
    parameters = _parameters(parts, body.checkpoint)
    with once.begin() as session:
        now = database_now(session)
        made = versions.promote(session, model, body.checkpoint, parameters=parameters, now=now)
        location = f"/v1/models/{quote(model)}@{made.version}"
        answer = once.answer(session, made, status=201, location=location)
    from_thread.run(parts.predictor.version_made, model)
    return answer


def _parameters(parts: Parts, checkpoint: str) -> int:
    """Count the parameters of a checkpoint's model. Raises CheckpointNotFound."""
    try:
        with parts.database.read() as session:
            if not checkpoint.startswith("ckpt_"):
                raise CheckpointNotFound
            found = model_store.get_servable(session, checkpoint)
        preparation = blob_store.read(parts.database, found.preparation_sha256)
    except (BlobGone, ModelNotFound) as gone:
        raise CheckpointNotFound from gone
    return parts.catalogue.count_parameters(found.task, found.architecture, preparation)
