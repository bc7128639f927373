"""The synchronous client. Its methods send the calls of `calls`, each under its own name."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self

import httpx

from service.client import (
    answers,
    calls,
    component_calls,
    dataset_calls,
    model_calls,
    watching,
    writing,
)
from service.client.call import Call, Outcome, ResultT, presented
from service.client.downloading import Download, Format
from service.client.errors import UnavailableError, UnreachableError
from service.client.hearing import Hearing
from service.client.listening import AGAIN, Listening
from service.client.listening import PATIENCE as LISTEN_PATIENCE
from service.client.retrying import Attempts, RetryPolicy
from service.client.watching import Following
from service.domain.events import Event
from service.domain.generations import GeneratedToken, GenerateRequest, Generation
from service.domain.jobs import Job

P = ParamSpec("P")
DEFAULT_URL = "http://127.0.0.1:8000"


def _sends(make: Callable[P, Call[ResultT]]) -> Callable[Concatenate["Client", P], ResultT]:
    """Make the method that sends what `make` describes, with the same parameters."""

    def method(self: "Client", *args: P.args, **kwargs: P.kwargs) -> ResultT:
        return self.send(make(*args, **kwargs))

    return presented(method, make)


class Client:
    """Talks to one Trainyard service. Use it as a context manager, or call `close`.

    Every method raises an error of the `TrainyardError` tree and nothing else for what can go wrong
    between here and the service. What it is safe to send again is sent again, at most `retries`
    times; `service.client.retrying` has the rules. The `api_key` can be read by everybody on the
    way unless the URL begins with https. A client may be shared by threads.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        retries: int = 2,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        destination = writing.destination(url, api_key)
        self.url = destination.shown
        self._timeout = timeout
        self._policy = RetryPolicy(retries=retries)
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=destination.url,
            headers=destination.headers,
            trust_env=destination.trust_env,
            transport=transport,
            follow_redirects=False,  # the key is for this address alone
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

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

    create_job = _sends(calls.create_job)
    put_job = _sends(calls.put_job)
    plan_job = _sends(calls.plan_job)
    get_job = _sends(calls.get_job)
    list_jobs = _sends(calls.list_jobs)
    cancel_job = _sends(calls.cancel_job)
    pause_job = _sends(calls.pause_job)
    resume_job = _sends(calls.resume_job)
    retry_job = _sends(calls.retry_job)
    fork_job = _sends(calls.fork_job)
    act_on_job = _sends(calls.act_on_job)
    delete_job = _sends(calls.delete_job)
    get_metrics = _sends(calls.get_metrics)
    get_metrics_csv = _sends(calls.get_metrics_csv)
    list_checkpoints = _sends(calls.list_checkpoints)
    list_events = _sends(calls.list_events)
    get_certificate = _sends(calls.get_certificate)

    list_datasets = _sends(dataset_calls.list_datasets)
    get_dataset = _sends(dataset_calls.get_dataset)
    add_dataset = _sends(dataset_calls.add_dataset)
    check_dataset = _sends(dataset_calls.check_dataset)
    delete_dataset = _sends(dataset_calls.delete_dataset)
    preview_dataset = _sends(dataset_calls.preview_dataset)
    preview_pictures = _sends(dataset_calls.preview_pictures)
    measure_dataset = _sends(dataset_calls.measure_dataset)

    list_models = _sends(model_calls.list_models)
    get_model = _sends(model_calls.get_model)
    get_model_version = _sends(model_calls.get_model_version)
    list_model_versions = _sends(model_calls.list_model_versions)
    get_model_card = _sends(model_calls.get_model_card)
    get_model_card_text = _sends(model_calls.get_model_card_text)
    predictions_over_time = _sends(model_calls.predictions_over_time)
    score = _sends(model_calls.score)
    generate = _sends(model_calls.generate)
    delete_session = _sends(model_calls.delete_session)
    promote_checkpoint = _sends(model_calls.promote_checkpoint)
    import_model = _sends(model_calls.import_model)
    describe_model = _sends(model_calls.describe_model)
    set_alias = _sends(model_calls.set_alias)
    delete_alias = _sends(model_calls.delete_alias)
    delete_model = _sends(model_calls.delete_model)
    predict = _sends(calls.predict)
    predict_image = _sends(calls.predict_image)

    architectures = _sends(component_calls.architectures)
    optimizers = _sends(component_calls.optimizers)
    schedules = _sends(component_calls.schedules)
    tasks = _sends(component_calls.tasks)
    recipes = _sends(component_calls.recipes)
    get_recipe = _sends(component_calls.get_recipe)
    system = _sends(component_calls.system)
    ready = _sends(component_calls.ready)

    def follow_job(
        self,
        job_id: str,
        *,
        every: float = watching.EVERY,
        wait: float = 0.0,
        deadline: float | None = None,
        patience: float = watching.PATIENCE,
    ) -> Iterator[Job]:
        """Yield the job whenever it has changed, until it has ended or is paused.

        Looks every `every` seconds; with `wait` (at most 60) each look waits for so long, and ends
        as soon as the status is another one. A service that is away for less than `patience`
        seconds, as in a restart, is waited for. Raises TimeoutError after `deadline` seconds.
        """
        following = Following(
            job_id,
            every=every,
            wait=wait,
            deadline=deadline,
            patience=patience,
            now=time.monotonic(),
        )
        while not following.over:
            try:
                job = self.get_job(job_id, wait=following.wait(now=time.monotonic()))
            except (UnreachableError, UnavailableError) as error:
                following.missed(error, now=time.monotonic())
            else:
                if following.is_news(job, now=time.monotonic()):
                    yield job
            self._sleep(following.pause(now=time.monotonic()))

    def events(
        self,
        job_id: str,
        *,
        after: int = 0,
        speed: float | None = None,
        patience: float = LISTEN_PATIENCE,
    ) -> Iterator[Event]:
        """Yield what happened to a job and what happens, until it has ended.

        Goes on where it was when a connection breaks; a service that is away for less than
        `patience` seconds is waited for. With `speed`, a job that has ended is played again with
        its pauses, so many times as fast.
        """
        listening = Listening(job_id, after=after, speed=speed, patience=patience)
        while not listening.over:
            try:
                yield from self._listen(listening)
            except httpx.RequestError as error:
                listening.missed(answers.unanswered(error, self.url), now=time.monotonic())
            if not listening.over:
                self._sleep(AGAIN)

    def _listen(self, listening: Listening) -> Iterator[Event]:
        """Yield what one connection says."""
        with ExitStack() as opened:
            request = writing.request_of(
                listening.call(), self._http, opened, timeout=self._timeout
            )
            response = self._http.send(request, stream=True)
            opened.callback(response.close)
            if response.status_code != httpx.codes.OK.value:
                response.read()
            if not listening.is_open(response, now=time.monotonic()):
                return
            for text in response.iter_text():
                yield from listening.hear(text)
                if listening.over:
                    return

    def stream_text(
        self, model: str, request: GenerateRequest | Mapping[str, Any]
    ) -> Iterator[GeneratedToken | Generation]:
        """Yield each token while a text is written, and at last the whole `Generation`.

        Who stops iterating stops the writing.
        """
        hearing = Hearing(model, request)
        with ExitStack() as opened:
            asked = writing.request_of(hearing.call(), self._http, opened, timeout=self._timeout)
            try:
                response = self._http.send(asked, stream=True)
                opened.callback(response.close)
                if response.status_code != httpx.codes.OK.value:
                    response.read()
                hearing.begin(response)
                for text in response.iter_text():
                    yield from hearing.hear(text)
            except httpx.RequestError as error:
                raise answers.unanswered(error, self.url) from error
        hearing.end()

    def download_model(
        self, reference: str, to: Path | str = ".", *, file_format: Format = "zip"
    ) -> Path:
        """Download a model into a file, or into a folder under its own name; return where it is.

        The zip works with plain PyTorch, and `import_model` of another service takes it.
        """
        download = Download(reference, to, file_format)
        with ExitStack() as opened:
            opened.callback(download.give_up)
            asked = writing.request_of(download.call(), self._http, opened, timeout=self._timeout)
            try:
                response = self._http.send(asked, stream=True)
                opened.callback(response.close)
                if response.status_code != httpx.codes.OK.value:
                    response.read()
                download.begin(response)
                for piece in response.iter_bytes():
                    download.write(piece)
            except httpx.RequestError as error:
                raise answers.unanswered(error, self.url) from error
            return download.end()

    def wait_for_job(
        self,
        job_id: str,
        *,
        progress: Callable[[Job], None] | None = None,
        deadline: float | None = None,
    ) -> Job:
        """Wait until the job has ended or is paused; `progress` sees every change on the way.

        Whoever asks for the end alone hears of it at once.
        """
        wait = 0.0 if progress else watching.WAIT
        job = None
        for job in self.follow_job(job_id, wait=wait, deadline=deadline):
            if progress is not None:
                progress(job)
        return job if job is not None else self.get_job(job_id)

    def send(self, call: Call[ResultT]) -> ResultT:
        """Send a call of `service.client.calls`, again where that is safe, and read the answer."""
        attempts = Attempts(call, self._policy, now=time.monotonic())
        with ExitStack() as opened:
            request = writing.request_of(call, self._http, opened, timeout=self._timeout)
            outcome = self._try(request)
            while (pause := attempts.pause_after(outcome, now=time.monotonic())) is not None:
                self._sleep(pause)
                outcome = self._try(request)
        return call.conclude(outcome, url=self.url)

    def _try(self, request: httpx.Request) -> Outcome:
        try:
            return self._http.send(request)
        except httpx.RequestError as error:
            return error
