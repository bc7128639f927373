"""`/v1/jobs/{id}/fork`: a new job that goes on from a checkpoint of another, with a patch."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from service.api.accepting import accept
from service.api.bodies import named, read_json, takes
from service.api.built_ins import facts_of
from service.api.idempotency import Once, OneTime
from service.api.parts import JobIdPath, Parts, PartsOf
from service.api.problems import problem_responses
from service.domain.forks import ForkSource
from service.domain.jobs import Job, JobSpec, NewJob
from service.domain.requests import ForkRequest, JobRequest
from service.store import beginnings
from service.store import blobs as blob_store
from service.store.beginnings import FirstCheckpoint
from service.store.errors import BlobGone, CheckpointNotFound

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
ATTEMPTS = 5
"""So often another checkpoint is tried, when a running job replaces its newest meanwhile."""


async def _fork_request(request: Request) -> ForkRequest:
    return await read_json(request, ForkRequest)


@router.post(
    "/{job_id}/fork",
    status_code=202,
    response_model=Job,
    responses=problem_responses(400, 404, 409, 413, 415, 422, 503),
    openapi_extra=takes(
        application_json=named(
            "ForkRequest", longer={"patch": {"training": {"epochs": 20}}}, anew={"patch": {}}
        )
    ),
)
def fork_job(
    once: Once,
    job_id: JobIdPath,
    body: Annotated[ForkRequest, Depends(_fork_request)],
    parts: PartsOf,
) -> Response:
    """Start a new job from a checkpoint of this one, changed by a JSON Merge Patch (RFC 7396).

    What of the checkpoint's state still fits is kept; `spec.continues_from` says what, and why the
    rest is not. This job may be deleted at once.
    """
    for attempt in range(ATTEMPTS):
        try:
            return _fork(parts, once, job_id, body)
        except (BlobGone, CheckpointNotFound) as gone:
            if body.checkpoint is not None or attempt == ATTEMPTS - 1:
                raise CheckpointNotFound from gone
    raise CheckpointNotFound


def _fork(parts: Parts, once: OneTime, job_id: str, body: ForkRequest) -> Response:
    with parts.database.read() as session:
        source = beginnings.get_fork_source(session, job_id, body.checkpoint)
    preparation = blob_store.read(parts.database, source.checkpoint.preparation_sha256)
    request = parts.catalogue.forked_request(source.job, body.patch)
    facts = facts_of(parts.database, request.dataset.name)
    spec = parts.catalogue.fork(source, request, facts, preparation)
    with once.begin() as session:
        job = accept(parts, session, _new_job(request, spec, job_id), first=_first(spec, source))
        return once.answer(session, job, status=202, location=f"/v1/jobs/{job.id}")


def _new_job(request: JobRequest, spec: JobSpec, parent_job: str) -> NewJob:
    return NewJob(
        spec=spec,
        priority=request.priority,
        client_id=request.client_id,
        metadata=request.metadata,
        parent_job=parent_job,
    )


def _first(spec: JobSpec, source: ForkSource) -> list[FirstCheckpoint]:
    """List what the fork is given: where it begins, and the best so far if that is kept."""
    begun = spec.continues_from
    if begun is None:
        return []
    first = [FirstCheckpoint("latest", source.checkpoint, begun.step, begun.epoch)]
    if "best" in begun.keeps and source.best is not None:
        first.append(FirstCheckpoint("best", source.best, source.best.step, source.best.epoch))
    return first
