"""The calls of the HTTP contract, each defined once: how to ask, and how to read the answer.

Nothing here speaks to the service: `Client` and `AsyncClient` send what these functions describe,
under the same names. Pictures named by their paths are read as the call is made.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from service.client import answers
from service.client.call import (
    Call,
    Content,
    Query,
    json_bytes,
    key_of_a_call,
    path_of,
    what_was_said,
)
from service.client.inputs import PredictInput, image_bytes, image_type, json_input
from service.client.verbs import delete, get, post, reading
from service.domain.certificates import Certificate
from service.domain.events import EventList, EventType
from service.domain.jobs import CheckpointList, Job, JobList, Metrics, Plan
from service.domain.predictions import PredictResponse, Probabilities
from service.domain.requests import JobRequest
from service.domain.transitions import JobAction

REPEATABLE_ACTIONS = frozenset[JobAction]({"cancel", "pause", "resume"})
"""Legal again in the status that they lead to, and without effect there; `retry` is a 409 there."""


def create_job(
    request: JobRequest | Mapping[str, Any], *, idempotency_key: str | None = None
) -> Call[Job]:
    """Start a training job. Once this returns, the job survives any crash.

    The call has a key of its own, so that sending it again starts no second job. With yours, no
    other call does so either, for 24 hours.
    """
    body = what_was_said(request)
    key = key_of_a_call(idempotency_key)
    return post("/v1/jobs", Job, body=body, repeatable=True, idempotency_key=key)


def put_job(client_id: str, request: JobRequest | Mapping[str, Any]) -> Call[Job]:
    """Start a training job under an id of your own, or read it if this request did so before.

    ConflictError if another request did.
    """
    return Call(
        method="PUT",
        path=path_of("jobs", "by-client-id", client_id),
        read=reading(Job),
        repeatable=True,
        content=json_bytes(what_was_said(request)),
        headers={"Content-Type": "application/json"},
    )


def plan_job(request: JobRequest | Mapping[str, Any]) -> Call[Plan]:
    """Check a job and tell what it would do; nothing is stored."""
    body = what_was_said(request)
    return post("/v1/jobs", Plan, body=body, query={"validate_only": "true"}, repeatable=True)


def get_job(job_id: str, *, wait: float = 0.0) -> Call[Job]:
    """Read a job; with `wait` (at most 60 s), as soon as its status changes."""
    headers = {"Prefer": f"wait={max(1, round(wait))}"} if wait else None
    return get(path_of("jobs", job_id), Job, headers=headers, wait_seconds=wait)


def list_jobs(
    *,
    limit: int | None = None,
    after: str | None = None,
    status: str | None = None,
    kind: str | None = None,
    model: str | None = None,
    dataset: str | None = None,
    client_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Call[JobList]:
    """List one page of jobs, newest first; `after` is the last id of the page before."""
    query: Query = {
        "limit": limit,
        "after": after,
        "status": status,
        "kind": kind,
        "model": model,
        "dataset": dataset,
        "client_id": client_id,
        **{f"metadata.{key}": value for key, value in (metadata or {}).items()},
    }
    return get("/v1/jobs", JobList, query=query)


def cancel_job(job_id: str) -> Call[Job]:
    """Stop a job for good, at the next batch."""
    return act_on_job(job_id, "cancel")


def pause_job(job_id: str) -> Call[Job]:
    """Write a checkpoint at the next batch and stop until resumed."""
    return act_on_job(job_id, "pause")


def resume_job(job_id: str) -> Call[Job]:
    """Put a paused job back in the queue; it goes on from its checkpoint."""
    return act_on_job(job_id, "resume")


def retry_job(job_id: str) -> Call[Job]:
    """Put a failed or cancelled job back in the queue."""
    return act_on_job(job_id, "retry")


def act_on_job(job_id: str, action: JobAction) -> Call[Job]:
    """Do what `action` says; ConflictError when the job's status does not allow it."""
    return post(path_of("jobs", job_id, action), Job, repeatable=action in REPEATABLE_ACTIONS)


def fork_job(
    job_id: str, *, checkpoint: str | None = None, patch: Mapping[str, Any] | None = None
) -> Call[Job]:
    """Start a job from a checkpoint of this one, by default the one that came furthest.

    `patch` is a JSON Merge Patch (RFC 7396) for the job as it was resolved.
    """
    body: dict[str, JsonValue] = {"checkpoint": checkpoint, "patch": dict(patch or {})}
    path, key = path_of("jobs", job_id, "fork"), key_of_a_call(None)
    return post(path, Job, body=body, repeatable=True, idempotency_key=key)


def delete_job(job_id: str) -> Call[None]:
    """Delete a job that is not running. Its models stay."""
    return delete(path_of("jobs", job_id))


def get_metrics(
    job_id: str, *, names: Sequence[str] | None = None, max_points: int | None = None
) -> Call[Metrics]:
    """Read metric series, thinned out to at most `max_points` each."""
    query: Query = {"name": [*names] if names else None, "max_points": max_points}
    return get(path_of("jobs", job_id, "metrics"), Metrics, query=query)


def get_metrics_csv(job_id: str, *, names: Sequence[str] | None = None) -> Call[str]:
    """Read metric series as CSV with the columns name, step, epoch, value."""
    return Call(
        method="GET",
        path=path_of("jobs", job_id, "metrics"),
        read=answers.read_text,
        repeatable=True,
        query={"name": [*names] if names else None},
        headers={"Accept": "text/csv"},
    )


def list_checkpoints(
    job_id: str, *, limit: int | None = None, after: str | None = None
) -> Call[CheckpointList]:
    """List the kept checkpoints of a job, newest first."""
    query: Query = {"limit": limit, "after": after}
    return get(path_of("jobs", job_id, "checkpoints"), CheckpointList, query=query)


def list_events(
    job_id: str,
    *,
    limit: int | None = None,
    after: int | None = None,
    event_type: EventType | None = None,
) -> Call[EventList]:
    """List what happened to a job, in order; `after` is the seq of the last event before."""
    query: Query = {"limit": limit, "after": after, "type": event_type}
    return get(path_of("jobs", job_id, "events"), EventList, query=query)


def get_certificate(job_id: str) -> Call[Certificate]:
    """Read what fixed a job's run, where it was computed, and the hashes of its states."""
    return get(path_of("jobs", job_id, "certificate"), Certificate)


def predict(
    model: str,
    inputs: Sequence[PredictInput],
    *,
    top_k: int | None = None,
    special_tokens: bool = False,
    probabilities: Probabilities | None = None,
    abstain_below: float | None = None,
    evidence: int | None = None,
    deadline_ms: int | None = None,
    session: str | None = None,
    session_must_exist: bool = False,
) -> Call[PredictResponse]:
    """Ask a model: texts, pixels as arrays, or image files as bytes or paths.

    `model` is a name, `name@3`, `mdl_…`, `ckpt_…`, or `job_…`, also while that job trains.
    With `evidence` each answer comes with so many of the nearest training examples. After
    `deadline_ms` of waiting for the model nothing is computed any more, and the service is busy.
    Probabilities are calibrated, where the version knows how, unless "raw" are asked for. In a
    session the one text goes on behind all that was read and written in it; the call is then not
    sent again by itself: it might have been done.
    """
    options: dict[str, JsonValue] = {
        "top_k": top_k,
        "special_tokens": special_tokens or None,
        "probabilities": probabilities,
        "abstain_below": abstain_below,
        "evidence": evidence,
        "deadline_ms": deadline_ms,
        "session": session,
        "session_must_exist": session_must_exist or None,
    }
    body: dict[str, JsonValue] = {
        "inputs": [json_input(each) for each in inputs],
        **{name: value for name, value in options.items() if value is not None},
    }
    alone, path = session is None, path_of("models", model, "predict")
    return post(path, PredictResponse, body=body, repeatable=alone)


def predict_image(
    model: str,
    image: Content,
    *,
    content_type: str | None = None,
    top_k: int | None = None,
    evidence: int | None = None,
) -> Call[PredictResponse]:
    """Ask a model about one PNG or JPEG file, sent as it is."""
    content = image_bytes(image)
    return post(
        path_of("models", model, "predict"),
        PredictResponse,
        query={"top_k": top_k, "evidence": evidence},
        content=content,
        content_type=content_type or image_type(content),
        repeatable=True,
    )
