"""The asynchronous client: the methods of `Client`, to be awaited, for asyncio and trio."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self

import anyio
import httpx
from anyio import to_thread

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
from service.client.client import DEFAULT_URL
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
Method = Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, ResultT]]


def _sends(make: Callable[P, Call[ResultT]]) -> Method[P, ResultT]:
    """Make the method that sends what `make` describes, with the same parameters."""

    async def method(self: "AsyncClient", *args: P.args, **kwargs: P.kwargs) -> ResultT:
        return await self.send(make(*args, **kwargs))

    return presented(method, make)


def _sends_much(make: Callable[P, Call[ResultT]]) -> Method[P, ResultT]:
    """Do as `_sends`, for calls whose making may read files and write megabytes: in a thread."""

    async def method(self: "AsyncClient", *args: P.args, **kwargs: P.kwargs) -> ResultT:
        return await self.send(await to_thread.run_sync(partial(make, *args, **kwargs)))

    return presented(method, make)


class AsyncClient:
    """Talks to one Trainyard service without blocking. Use it as an asynchronous context manager.

    It has the methods of `Client`, each to be awaited (`follow_job` to be iterated by `async for`),
    with the same errors and the same rules for sending again. A client belongs to one event loop;
    there, any number of tasks may share it.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        retries: int = 2,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        destination = writing.destination(url, api_key)
        self.url = destination.shown
        self._timeout = timeout
        self._policy = RetryPolicy(retries=retries)
        self._sleep = sleep
        self._http = httpx.AsyncClient(
            base_url=destination.url,
            headers=destination.headers,
            trust_env=destination.trust_env,
            transport=transport,
            follow_redirects=False,  # the key is for this address alone
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

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
    predict = _sends_much(calls.predict)
    predict_image = _sends_much(calls.predict_image)

    architectures = _sends(component_calls.architectures)
    optimizers = _sends(component_calls.optimizers)
    schedules = _sends(component_calls.schedules)
    tasks = _sends(component_calls.tasks)
    recipes = _sends(component_calls.recipes)
    get_recipe = _sends(component_calls.get_recipe)
    system = _sends(component_calls.system)
    ready = _sends(component_calls.ready)

    async def follow_job(
        self,
        job_id: str,
        *,
        every: float = watching.EVERY,
        wait: float = 0.0,
        deadline: float | None = None,
        patience: float = watching.PATIENCE,
    ) -> AsyncIterator[Job]:
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
                job = await self.get_job(job_id, wait=following.wait(now=time.monotonic()))
            except (UnreachableError, UnavailableError) as error:
                following.missed(error, now=time.monotonic())
            else:
                if following.is_news(job, now=time.monotonic()):
                    yield job
            await self._sleep(following.pause(now=time.monotonic()))

    async def events(
        self,
        job_id: str,
        *,
        after: int = 0,
        speed: float | None = None,
        patience: float = LISTEN_PATIENCE,
    ) -> AsyncIterator[Event]:
        """Yield what happened to a job and what happens, until it has ended.

        Goes on where it was when a connection breaks; a service that is away for less than
        `patience` seconds is waited for. With `speed`, a job that has ended is played again with
        its pauses, so many times as fast.
        """
        listening = Listening(job_id, after=after, speed=speed, patience=patience)
        while not listening.over:
            try:
                async for event in self._listen(listening):
                    yield event
            except httpx.RequestError as error:
                listening.missed(answers.unanswered(error, self.url), now=time.monotonic())
            if not listening.over:
                await self._sleep(AGAIN)

    async def _listen(self, listening: Listening) -> AsyncIterator[Event]:
        """Yield what one connection says."""
        async with AsyncExitStack() as opened:
            request = await self._request_of(listening.call(), ExitStack())
            response = await self._http.send(request, stream=True)
            opened.push_async_callback(response.aclose)
            if response.status_code != httpx.codes.OK.value:
                await response.aread()
            if not listening.is_open(response, now=time.monotonic()):
                return
            async for text in response.aiter_text():
                for event in listening.hear(text):
                    yield event
                if listening.over:
                    return

    async def stream_text(
        self, model: str, request: GenerateRequest | Mapping[str, Any]
    ) -> AsyncIterator[GeneratedToken | Generation]:
        """Yield each token while a text is written, and at last the whole `Generation`.

        Who stops iterating stops the writing.
        """
        hearing = Hearing(model, request)
        async with AsyncExitStack() as opened:
            asked = await self._request_of(hearing.call(), ExitStack())
            try:
                response = await self._http.send(asked, stream=True)
                opened.push_async_callback(response.aclose)
                if response.status_code != httpx.codes.OK.value:
                    await response.aread()
                hearing.begin(response)
                async for text in response.aiter_text():
                    for heard in hearing.hear(text):
                        yield heard
            except httpx.RequestError as error:
                raise answers.unanswered(error, self.url) from error
        hearing.end()

    async def download_model(
        self, reference: str, to: Path | str = ".", *, file_format: Format = "zip"
    ) -> Path:
        """Download a model into a file, or into a folder under its own name; return where it is.

        The zip works with plain PyTorch, and `import_model` of another service takes it.
        """
        download = Download(reference, to, file_format)
        async with AsyncExitStack() as opened:
            opened.callback(download.give_up)
            asked = await self._request_of(download.call(), ExitStack())
            try:
                response = await self._http.send(asked, stream=True)
                opened.push_async_callback(response.aclose)
                if response.status_code != httpx.codes.OK.value:
                    await response.aread()
                download.begin(response)
                async for piece in response.aiter_bytes():
                    await to_thread.run_sync(download.write, piece)
            except httpx.RequestError as error:
                raise answers.unanswered(error, self.url) from error
            return download.end()

    async def wait_for_job(
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
        async for job in self.follow_job(job_id, wait=wait, deadline=deadline):
            if progress is not None:
                progress(job)
        return job if job is not None else await self.get_job(job_id)

    async def send(self, call: Call[ResultT]) -> ResultT:
        """Send a call of `service.client.calls`, again where that is safe, and read the answer."""
        attempts = Attempts(call, self._policy, now=time.monotonic())
        with ExitStack() as opened:
            request = await self._request_of(call, opened)
            outcome = await self._try(request)
            while (pause := attempts.pause_after(outcome, now=time.monotonic())) is not None:
                await self._sleep(pause)
                outcome = await self._try(request)
        return call.conclude(outcome, url=self.url)

    async def _request_of(self, call: Call[Any], opened: ExitStack) -> httpx.Request:
        make = partial(writing.request_of, call, self._http, opened, timeout=self._timeout)
        if call.parts is None:
            return make()
        request = await to_thread.run_sync(make)
        if isinstance(request.stream, httpx.SyncByteStream):
            request.stream = writing.ReadInThreads(request.stream)
        return request

    async def _try(self, request: httpx.Request) -> Outcome:
        try:
            return await self._http.send(request)
        except httpx.RequestError as error:
            return error
