"""The calls of the HTTP contract, each defined once: how to ask, and how to read the answer.

Nothing here does I/O. `Client` sends what these functions describe; an asynchronous client sends
the same.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable
from urllib.parse import quote

import httpx
from pydantic import BaseModel, JsonValue

from service.client import answers
from service.client.answers import JsonObject
from service.domain.components import ComponentList
from service.domain.datasets import Dataset, DatasetList, IdxDatasetSpec, TextDatasetSpec
from service.domain.jobs import CheckpointList, Job, JobList, Metrics, Plan
from service.domain.models import Model, ModelList
from service.domain.predictions import PredictResponse
from service.domain.requests import JobRequest
from service.domain.transitions import JobAction

ResultT = TypeVar("ResultT")
Query = Mapping[str, str | int | list[str] | None]
Content = bytes | Path
"""A file: its bytes, or where it lies; the sender opens it and streams it."""
Parts = Mapping[str, Content | str]
"""The parts of a form; a string is JSON."""


@runtime_checkable
class Array(Protocol):
    """An array of pixels (numpy, torch): anything that becomes nested lists."""

    def tolist(self) -> Any:
        """Return the values as nested lists."""
        ...


PredictInput = str | bytes | Path | Array | Sequence[Any] | Mapping[str, Any]
"""A text, pixels, the bytes of an image file, or where one lies."""


@dataclass(frozen=True, kw_only=True)
class Call(Generic[ResultT]):
    """One request, and how its answer becomes a result."""

    method: str
    path: str
    read: Callable[[httpx.Response], ResultT]
    query: Query | None = None
    body: JsonValue = None
    content: bytes | None = None
    parts: Parts | None = None
    headers: Mapping[str, str] | None = None
    wait_seconds: float = 0.0
    """How much longer than usual the answer may take, because the request asks for it."""

    def parameters(self) -> dict[str, str | list[str]]:
        """Return the query without what was not given."""
        given = {name: value for name, value in (self.query or {}).items() if value is not None}
        return {
            name: [*value] if isinstance(value, list) else str(value)
            for name, value in given.items()
        }


def create_job(request: JobRequest | Mapping[str, Any]) -> Call[Job]:
    """POST a job."""
    return _send("POST", "/v1/jobs", Job, body=_plain(request))


def plan_job(request: JobRequest | Mapping[str, Any]) -> Call[Plan]:
    """Ask what a job would do."""
    query = {"validate_only": "true"}
    return _send("POST", "/v1/jobs", Plan, body=_plain(request), query=query)


def get_job(job_id: str, *, wait: float = 0.0) -> Call[Job]:
    """Read a job; with `wait`, after its status has changed or so many seconds are over."""
    headers = {"Prefer": f"wait={max(1, round(wait))}"} if wait else None
    return _send("GET", _path("jobs", job_id), Job, headers=headers, wait_seconds=wait)


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
    """List jobs, newest first."""
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
    return _send("GET", "/v1/jobs", JobList, query=query)


def act_on_job(job_id: str, action: JobAction) -> Call[Job]:
    """Cancel, pause, resume or retry a job."""
    return _send("POST", _path("jobs", job_id, action), Job)


def delete_job(job_id: str) -> Call[None]:
    """Delete a job that is not running."""
    return Call(method="DELETE", path=_path("jobs", job_id), read=answers.read_nothing)


def get_metrics(
    job_id: str, *, names: Sequence[str] | None = None, max_points: int | None = None
) -> Call[Metrics]:
    """Read the metric series of a job."""
    query: Query = {"name": [*names] if names else None, "max_points": max_points}
    return _send("GET", _path("jobs", job_id, "metrics"), Metrics, query=query)


def get_metrics_csv(job_id: str, *, names: Sequence[str] | None = None) -> Call[str]:
    """Read the metric series of a job as CSV: name, step, epoch, value."""
    return Call(
        method="GET",
        path=_path("jobs", job_id, "metrics"),
        query={"name": [*names] if names else None},
        headers={"Accept": "text/csv"},
        read=answers.read_text,
    )


def list_checkpoints(
    job_id: str, *, limit: int | None = None, after: str | None = None
) -> Call[CheckpointList]:
    """List the kept checkpoints of a job, newest first."""
    query: Query = {"limit": limit, "after": after}
    return _send("GET", _path("jobs", job_id, "checkpoints"), CheckpointList, query=query)


def list_datasets(*, limit: int | None = None, after: str | None = None) -> Call[DatasetList]:
    """List datasets, newest first."""
    return _send("GET", "/v1/datasets", DatasetList, query={"limit": limit, "after": after})


def get_dataset(name: str) -> Call[Dataset]:
    """Read a dataset's facts."""
    return _send("GET", _path("datasets", name), Dataset)


def add_dataset(
    spec: TextDatasetSpec | IdxDatasetSpec | Mapping[str, Any], files: Mapping[str, Content]
) -> Call[Dataset]:
    """Upload a dataset: `file` for text; `images`, `labels` and perhaps `test_…` for IDX."""
    text = spec if isinstance(spec, BaseModel) else _AnySpec.model_validate(spec)
    parts: Parts = {"spec": text.model_dump_json(exclude_unset=True), **files}
    return _send("POST", "/v1/datasets", Dataset, parts=parts)


def delete_dataset(name: str) -> Call[None]:
    """Delete a dataset that no unfinished job uses."""
    return Call(method="DELETE", path=_path("datasets", name), read=answers.read_nothing)


def list_models(
    *, limit: int | None = None, after: str | None = None, task: str | None = None
) -> Call[ModelList]:
    """List named models, newest first."""
    query: Query = {"limit": limit, "after": after, "task": task}
    return _send("GET", "/v1/models", ModelList, query=query)


def get_model(name: str) -> Call[Model]:
    """Read a named model with its newest version."""
    return _send("GET", _path("models", name), Model)


def predict(
    model: str,
    inputs: Sequence[JsonValue],
    *,
    top_k: int | None = None,
    special_tokens: bool = False,
) -> Call[PredictResponse]:
    """Ask a model, with inputs as JSON; see `json_input`."""
    body: dict[str, JsonValue] = {"inputs": [*inputs]}
    if top_k is not None:
        body["top_k"] = top_k
    if special_tokens:
        body["special_tokens"] = True
    return _send("POST", _path("models", model, "predict"), PredictResponse, body=body)


def predict_image(
    model: str, image: bytes, *, content_type: str, top_k: int | None = None
) -> Call[PredictResponse]:
    """Ask a model about one image file, sent as it is."""
    return _send(
        "POST",
        _path("models", model, "predict"),
        PredictResponse,
        query={"top_k": top_k},
        content=image,
        headers={"Content-Type": content_type},
    )


def list_components(kind: str) -> Call[ComponentList]:
    """List the installed `architectures`, `optimizers`, `schedules` or `tasks`."""
    return _send("GET", f"/v1/{kind}", ComponentList)


def get_system() -> Call[JsonObject]:
    """Read versions, device, limits, workers and the size of the database."""
    return Call(method="GET", path="/v1/system", read=answers.read_object)


def get_readiness() -> Call[JsonObject]:
    """Ask whether the service is ready."""
    return Call(method="GET", path="/readyz", read=answers.read_object)


def json_input(value: str | bytes | Array | Sequence[Any] | Mapping[str, Any]) -> JsonValue:
    """Write an input as JSON: bytes of an image file as base64, arrays as nested lists."""
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, Array):
        pixels: JsonValue = value.tolist()
        return pixels
    if isinstance(value, str):
        return value
    plain: Any = dict(value) if isinstance(value, Mapping) else list(value)
    return plain


def image_type(image: bytes) -> str:
    """Tell the content type of an image file by its first bytes; PNG if in doubt."""
    return "image/jpeg" if image.startswith(b"\xff\xd8\xff") else "image/png"


class _AnySpec(BaseModel, extra="allow"):
    """A dataset's spec that the service checks."""


ModelT = TypeVar("ModelT", bound=BaseModel)


def _send(
    method: str,
    path: str,
    model: type[ModelT],
    *,
    query: Query | None = None,
    body: JsonValue = None,
    content: bytes | None = None,
    parts: Parts | None = None,
    headers: Mapping[str, str] | None = None,
    wait_seconds: float = 0.0,
) -> Call[ModelT]:
    return Call(
        method=method,
        path=path,
        read=partial(answers.read_model, model),
        query=query,
        body=body,
        content=content,
        parts=parts,
        headers=headers,
        wait_seconds=wait_seconds,
    )


def _path(*parts: str) -> str:
    """Join parts below /v1; whatever a name holds stays one part of the path."""
    return "/v1/" + "/".join(quote(part, safe="@") for part in parts)


def _plain(request: JobRequest | Mapping[str, Any]) -> JsonValue:
    """Return only what was said: what was not is the service's to fill in."""
    if isinstance(request, BaseModel):
        return request.model_dump(mode="json", exclude_unset=True)
    return dict(request)
