"""The synchronous client. Every method is one call of `calls`, sent with httpx."""

import ipaddress
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import JsonValue

from service.client import answers, calls
from service.client.answers import JsonObject
from service.client.calls import Call, Content, Parts, PredictInput
from service.client.errors import InvalidError, UnreachableError
from service.client.watching import Following
from service.domain.components import ComponentInfo
from service.domain.datasets import Dataset, DatasetList, IdxDatasetSpec, TextDatasetSpec
from service.domain.jobs import CheckpointList, Job, JobList, Metrics, Plan
from service.domain.models import Model, ModelList
from service.domain.predictions import PredictResponse
from service.domain.requests import JobRequest
from service.domain.transitions import JobAction

ResultT = TypeVar("ResultT")
DEFAULT_URL = "http://127.0.0.1:8000"


class Client:
    """Talks to one Trainyard service. Use it as a context manager, or call `close`.

    Every method raises an error of the `TrainyardError` tree and nothing else for what can go wrong
    between here and the service. A client may be shared by threads.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        try:
            self._http = httpx.Client(
                base_url=self.url,
                timeout=timeout,
                transport=transport,
                # A proxy of the environment cannot reach this machine's own loopback.
                trust_env=not _is_loopback(self.url),
                headers={"User-Agent": "trainyard-client", "Accept": "application/json"},
            )
        except httpx.InvalidURL as error:
            message = f"{url} is no address of a service: {error}."
            raise UnreachableError(message) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # Jobs

    def create_job(self, request: JobRequest | Mapping[str, Any]) -> Job:
        """Start a training job. Once this returns, the job survives any crash."""
        return self._send(calls.create_job(request))

    def plan_job(self, request: JobRequest | Mapping[str, Any]) -> Plan:
        """Check a job and tell what it would do; nothing is stored."""
        return self._send(calls.plan_job(request))

    def get_job(self, job_id: str, *, wait: float = 0.0) -> Job:
        """Read a job; with `wait` (at most 60 s), as soon as its status changes."""
        return self._send(calls.get_job(job_id, wait=wait))

    def follow_job(
        self,
        job_id: str,
        *,
        every: float = 0.5,
        deadline: float | None = None,
        patience: float = 10.0,
    ) -> Iterator[Job]:
        """Yield the job whenever it has changed, until it has ended or is paused.

        Looks every `every` seconds. A service that is away for less than `patience` seconds, as
        in a restart, is waited for. Raises TimeoutError after `deadline` seconds.
        """
        following = Following()
        started = time.monotonic()
        answered = -math.inf  # one that has never answered is not waited for
        while not following.over:
            try:
                job = self.get_job(job_id)
                answered = time.monotonic()
            except UnreachableError:
                if time.monotonic() - answered > patience:
                    raise
            else:
                if following.is_news(job):
                    yield job
            if deadline is not None and time.monotonic() - started > deadline:
                message = f"{job_id} had not ended after {deadline:g} seconds"
                raise TimeoutError(message)
            if not following.over:
                time.sleep(every)

    def wait_for_job(
        self,
        job_id: str,
        *,
        progress: Callable[[Job], None] | None = None,
        deadline: float | None = None,
    ) -> Job:
        """Wait until the job has ended or is paused; `progress` sees every change on the way."""
        job = None
        for job in self.follow_job(job_id, deadline=deadline):
            if progress is not None:
                progress(job)
        return job if job is not None else self.get_job(job_id)

    def list_jobs(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        status: str | None = None,
        kind: str | None = None,
        model: str | None = None,
        dataset: str | None = None,
        client_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> JobList:
        """List one page of jobs, newest first; `after` is the last id of the page before."""
        call = calls.list_jobs(
            limit=limit,
            after=after,
            status=status,
            kind=kind,
            model=model,
            dataset=dataset,
            client_id=client_id,
            metadata=metadata,
        )
        return self._send(call)

    def cancel_job(self, job_id: str) -> Job:
        """Stop a job for good, at the next batch."""
        return self.act_on_job(job_id, "cancel")

    def pause_job(self, job_id: str) -> Job:
        """Write a checkpoint at the next batch and stop until resumed."""
        return self.act_on_job(job_id, "pause")

    def resume_job(self, job_id: str) -> Job:
        """Put a paused job back in the queue; it goes on from its checkpoint."""
        return self.act_on_job(job_id, "resume")

    def retry_job(self, job_id: str) -> Job:
        """Put a failed or cancelled job back in the queue."""
        return self.act_on_job(job_id, "retry")

    def act_on_job(self, job_id: str, action: JobAction) -> Job:
        """Do what `action` says; ConflictError when the job's status does not allow it."""
        return self._send(calls.act_on_job(job_id, action))

    def delete_job(self, job_id: str) -> None:
        """Delete a job that is not running. Its models stay."""
        self._send(calls.delete_job(job_id))

    def get_metrics(
        self, job_id: str, *, names: Sequence[str] | None = None, max_points: int | None = None
    ) -> Metrics:
        """Read metric series, thinned out to at most `max_points` each."""
        return self._send(calls.get_metrics(job_id, names=names, max_points=max_points))

    def get_metrics_csv(self, job_id: str, *, names: Sequence[str] | None = None) -> str:
        """Read metric series as CSV with the columns name, step, epoch, value."""
        return self._send(calls.get_metrics_csv(job_id, names=names))

    def list_checkpoints(
        self, job_id: str, *, limit: int | None = None, after: str | None = None
    ) -> CheckpointList:
        """List the kept checkpoints of a job, newest first."""
        return self._send(calls.list_checkpoints(job_id, limit=limit, after=after))

    # Datasets

    def list_datasets(self, *, limit: int | None = None, after: str | None = None) -> DatasetList:
        """List one page of datasets, newest first."""
        return self._send(calls.list_datasets(limit=limit, after=after))

    def get_dataset(self, name: str) -> Dataset:
        """Read what is known of a dataset."""
        return self._send(calls.get_dataset(name))

    def add_dataset(
        self,
        spec: TextDatasetSpec | IdxDatasetSpec | Mapping[str, Any],
        files: Mapping[str, Content],
    ) -> Dataset:
        """Upload a dataset; the same bytes under the same name give the one that is there.

        A text has one file, `file`; IDX has `images`, `labels` and may have `test_images`,
        `test_labels`. Paths are streamed from the disk.
        """
        return self._send(calls.add_dataset(spec, files))

    def delete_dataset(self, name: str) -> None:
        """Delete a dataset that no unfinished job uses."""
        self._send(calls.delete_dataset(name))

    # Models and predictions

    def list_models(
        self, *, limit: int | None = None, after: str | None = None, task: str | None = None
    ) -> ModelList:
        """List one page of named models, newest first."""
        return self._send(calls.list_models(limit=limit, after=after, task=task))

    def get_model(self, name: str) -> Model:
        """Read a named model with its newest version."""
        return self._send(calls.get_model(name))

    def predict(
        self,
        model: str,
        inputs: Sequence[PredictInput],
        *,
        top_k: int | None = None,
        special_tokens: bool = False,
    ) -> PredictResponse:
        """Ask a model: texts, pixels as arrays, or image files as bytes or paths.

        `model` is a name, `name@3`, `mdl_…`, `ckpt_…`, or `job_…`, also while that job trains.
        """
        read = [value.read_bytes() if isinstance(value, Path) else value for value in inputs]
        plain: list[JsonValue] = [calls.json_input(value) for value in read]
        return self._send(calls.predict(model, plain, top_k=top_k, special_tokens=special_tokens))

    def predict_image(
        self,
        model: str,
        image: bytes | Path,
        *,
        content_type: str | None = None,
        top_k: int | None = None,
    ) -> PredictResponse:
        """Ask a model about one PNG or JPEG file, sent as it is."""
        content = image.read_bytes() if isinstance(image, Path) else image
        kind = content_type or calls.image_type(content)
        return self._send(calls.predict_image(model, content, content_type=kind, top_k=top_k))

    # What the service has and is

    def architectures(self) -> list[ComponentInfo]:
        """List the installed architectures with their options."""
        return self._send(calls.list_components("architectures")).data

    def optimizers(self) -> list[ComponentInfo]:
        """List the installed optimizers with their options."""
        return self._send(calls.list_components("optimizers")).data

    def schedules(self) -> list[ComponentInfo]:
        """List the installed learning-rate schedules with their options."""
        return self._send(calls.list_components("schedules")).data

    def tasks(self) -> list[ComponentInfo]:
        """List the installed tasks with their options."""
        return self._send(calls.list_components("tasks")).data

    def system(self) -> JsonObject:
        """Read versions, device, limits, workers and the size of the database."""
        return self._send(calls.get_system())

    def ready(self) -> JsonObject:
        """Ask whether the service is ready; UnavailableError when it is not."""
        return self._send(calls.get_readiness())

    def _send(self, call: Call[ResultT]) -> ResultT:
        with ExitStack() as opened:
            try:
                request = self._http.build_request(
                    call.method,
                    call.path,
                    params=call.parameters() or None,
                    json=call.body,
                    content=call.content,
                    files=_open_parts(call.parts, opened) if call.parts else None,
                    headers=call.headers,
                    timeout=self._timeout + call.wait_seconds,
                )
            except (TypeError, ValueError) as error:  # NaN, lone surrogates, objects of any kind
                message = f"The request cannot be written as JSON: {error}."
                raise InvalidError(message) from error
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                raise answers.unreachable(error, self.url) from error
        answers.raise_for_problem(response)
        return call.read(response)


def _open_parts(parts: Parts, opened: ExitStack) -> list[tuple[str, tuple[str | None, Any, str]]]:
    """Make the parts of a form: JSON as it is, files streamed from where they lie."""
    form: list[tuple[str, tuple[str | None, Any, str]]] = []
    for name, content in parts.items():
        if isinstance(content, str):
            form.append((name, (None, content, "application/json")))
        elif isinstance(content, Path):
            file = opened.enter_context(content.open("rb"))
            form.append((name, (content.name, file, "application/octet-stream")))
        else:
            form.append((name, (name, content, "application/octet-stream")))
    return form


def _is_loopback(url: str) -> bool:
    try:
        host = httpx.URL(url).host
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except (httpx.InvalidURL, ValueError):
        return False
