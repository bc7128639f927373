"""`/v1/jobs`: accept, list, read and steer training jobs."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from service.api.accepting import accept
from service.api.bodies import named, read_json, takes
from service.api.built_ins import facts_of
from service.api.etags import matches
from service.api.idempotency import Once
from service.api.initial_weights import take_over
from service.api.limits import begin_to_wait
from service.api.parts import (
    After,
    ClientIdPath,
    DatabaseOf,
    JobIdPath,
    Limit,
    Parts,
    PartsOf,
    parts_of,
)
from service.api.preferences import preferred_wait
from service.api.problems import problem_responses, refuse
from service.api.queries import free_parameters
from service.domain.jobs import (
    ENDED,
    CheckpointList,
    Job,
    JobList,
    JobSpec,
    JobStatus,
    NewJob,
    Plan,
)
from service.domain.problems import NotFound
from service.domain.requests import JobRequest
from service.domain.sameness import request_sha256
from service.domain.text import ShortText
from service.domain.transitions import JobAction
from service.store import checkpoints as checkpoint_store
from service.store import client_ids, versions
from service.store import jobs as job_store
from service.store.engine import database_now
from service.store.jobs import JobFilters

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
METADATA_PREFIX = "metadata."


async def _job_request(request: Request) -> JobRequest:
    return await read_json(request, parts_of(request.app).catalogue.job_request)


JobBody = Annotated[JobRequest, Depends(_job_request)]


@router.post(
    "",
    status_code=202,
    response_model=Job,
    responses={
        200: {"model": Plan, "description": "With validate_only: what the job would do."},
        **problem_responses(400, 404, 409, 413, 415, 422, 503),
    },
    openapi_extra=takes(application_json=named("JobRequest")),
)
def create_job(
    once: Once,
    body: JobBody,
    parts: PartsOf,
    validate_only: Annotated[bool, Query(description="Answer the plan; store nothing.")] = False,
) -> Response:
    """Accept a training job. Once the client has the 202, the job survives any crash."""
    facts = facts_of(parts.database, body.dataset.name)
    spec = parts.catalogue.resolve(body, facts)
    spec, first = take_over(parts, spec, facts, body.initialize_from, hold=not validate_only)
    if validate_only:
        if spec.model is not None:
            with parts.database.read() as session:
                versions.check_task(session, spec.model, spec.task)
        return _as_json(parts.catalogue.plan(spec, facts))
    new = _new_job(spec, body, client_id=body.client_id)
    with once.begin() as session:
        job = accept(parts, session, new, first=first)
        return once.answer(session, job, status=202, location=f"/v1/jobs/{job.id}")


@router.put(
    "/by-client-id/{client_id:path}",  # an id of somebody else may hold a slash
    status_code=202,
    responses={
        200: {"model": Job, "description": "The job that the same request made before."},
        **problem_responses(400, 404, 409, 413, 415, 422, 503),
    },
    openapi_extra=takes(application_json=named("JobRequest")),
)
def put_job(client_id: ClientIdPath, body: JobBody, parts: PartsOf, response: Response) -> Job:
    """Accept a training job under an id of your own; sent again, this answers that job."""
    if body.client_id not in {None, client_id}:
        refuse("/client_id", "must be absent, or the one of the path")
    made_of = request_sha256(body)
    with parts.database.read() as session:
        job = client_ids.find_job(session, client_id, made_of)
    if job is None:
        facts = facts_of(parts.database, body.dataset.name)
        spec = parts.catalogue.resolve(body, facts)
        spec, first = take_over(parts, spec, facts, body.initialize_from, hold=True)
        new = _new_job(spec, body, client_id=client_id)
        with parts.database.begin() as session:
            job, created = client_ids.find_or_make(
                session, client_id, made_of, lambda: accept(parts, session, new, first=first)
            )
        if created:
            response.headers["Location"] = f"/v1/jobs/{job.id}"
            return job
    response.status_code = 200
    return job


async def _filters(
    request: Request,
    status: JobStatus | None = None,
    kind: ShortText = "train",
    model: ShortText | None = None,
    dataset: ShortText | None = None,
    client_id: ShortText | None = None,
) -> JobFilters:
    metadata = free_parameters(request, METADATA_PREFIX)
    return JobFilters(status, kind, model, dataset, client_id, metadata)


@router.get("", responses=problem_responses(400, 422))
def list_jobs(
    database: DatabaseOf,
    filters: Annotated[JobFilters, Depends(_filters)],
    limit: Limit = 20,
    after: After = None,
) -> JobList:
    """List jobs, newest first. `metadata.<key>=<value>` finds jobs by your own metadata."""
    with database.read() as session:
        return job_store.list_jobs(session, filters=filters, limit=limit, after=after)


@router.get(
    "/{job_id}",
    response_model=Job,
    responses={304: {"description": "Not modified"}, **problem_responses(404)},
)
async def get_job(
    job_id: JobIdPath,
    parts: PartsOf,
    prefer: Annotated[str | None, Header(description="`wait=30`: at most 60 seconds.")] = None,
    if_none_match: Annotated[str | None, Header(description="An ETag seen before.")] = None,
) -> Response:
    """Read a job; with `Prefer: wait=N`, when its status changes or N seconds are over."""
    job = await run_in_threadpool(_read, parts, job_id)
    etag, body = _tagged(job)
    seconds = preferred_wait(prefer)
    known = if_none_match is None or matches(if_none_match, etag)
    if seconds > 0 and job.status not in ENDED and known:
        await parts.waiter.wait_for_change(job.id, job.status, seconds=seconds)
        begin_to_wait()
        job = await run_in_threadpool(_read, parts, job_id)
        etag, body = _tagged(job)
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Prefer"}
    if seconds > 0:
        headers["Preference-Applied"] = f"wait={seconds}"
    if if_none_match is not None and matches(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _act(database: DatabaseOf, job_id: str, action: JobAction) -> Job:
    with database.begin() as session:
        job = job_store.apply_action(session, job_id, action, now=database_now(session))
    if job is None:
        raise NotFound(f"{job_id} is gone.")
    return job


@router.post("/{job_id}/cancel", responses=problem_responses(404, 409))
def cancel_job(job_id: JobIdPath, database: DatabaseOf) -> Job:
    """Stop a job for good. A running one stops at its next batch."""
    return _act(database, job_id, "cancel")


@router.post("/{job_id}/pause", responses=problem_responses(404, 409))
def pause_job(job_id: JobIdPath, database: DatabaseOf) -> Job:
    """Hold a job. A running one writes a checkpoint after its current batch, and goes on later."""
    return _act(database, job_id, "pause")


@router.post("/{job_id}/resume", responses=problem_responses(404, 409))
def resume_job(job_id: JobIdPath, database: DatabaseOf) -> Job:
    """Put a paused job back into the queue; it goes on from its newest checkpoint."""
    return _act(database, job_id, "resume")


@router.post("/{job_id}/retry", responses=problem_responses(404, 409))
def retry_job(job_id: JobIdPath, database: DatabaseOf) -> Job:
    """Put a failed or cancelled job back into the queue; it goes on from its newest checkpoint."""
    return _act(database, job_id, "retry")


@router.delete("/{job_id}", status_code=204, responses=problem_responses(404, 409))
def delete_job(job_id: JobIdPath, database: DatabaseOf) -> None:
    """Delete a job that does not run, its metrics and checkpoints. Its models stay."""
    with database.begin() as session:
        job_store.apply_action(session, job_id, "delete", now=database_now(session))


@router.get("/{job_id}/checkpoints", responses=problem_responses(400, 404, 422))
def list_checkpoints(
    job_id: JobIdPath, database: DatabaseOf, limit: Limit = 20, after: After = None
) -> CheckpointList:
    """List the kept checkpoints of a job, newest first."""
    with database.read() as session:
        return checkpoint_store.list_checkpoints(session, job_id, limit=limit, after=after)


def _new_job(spec: JobSpec, body: JobRequest, *, client_id: str | None) -> NewJob:
    return NewJob(
        spec=spec,
        priority=body.priority,
        client_id=client_id,
        metadata=body.metadata,
        request_sha256=request_sha256(body),
    )


def _read(parts: Parts, job_id: str) -> Job:
    with parts.database.read() as session:
        return job_store.get_job(session, job_id)


def _tagged(job: Job) -> tuple[str, bytes]:
    body = job.model_dump_json().encode()
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"', body


def _as_json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")
