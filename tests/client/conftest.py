"""Both clients with one face, so that every test says once what both must do."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, cast

import httpx
import pytest

from service.client import AsyncClient, Client
from service.domain.events import Event
from service.domain.jobs import Job

Handler = Callable[[httpx.Request], httpx.Response]


class Awaited:
    """An asynchronous client that looks like the other one: every call runs an event loop."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **options: Any) -> Any:
            return await getattr(self._client, name)(*arguments, **options)

        def run(*arguments: Any, **options: Any) -> Any:
            return asyncio.run(call(*arguments, **options))

        return run

    def __repr__(self) -> str:
        return repr(self._client)

    def follow_job(self, *arguments: Any, **options: Any) -> Iterator[Job]:
        async def follow() -> list[Job]:
            return [job async for job in self._client.follow_job(*arguments, **options)]

        return iter(asyncio.run(follow()))

    def events(self, *arguments: Any, **options: Any) -> Iterator[Event]:
        async def listen() -> list[Event]:
            return [event async for event in self._client.events(*arguments, **options)]

        return iter(asyncio.run(listen()))


class Clients:
    """Makes clients of one kind. Their pauses are noted and not slept."""

    def __init__(self, kind: type[Client | AsyncClient]) -> None:
        self.pauses: list[float] = []
        self._kind = kind

    def __call__(
        self,
        answer: Handler | None = None,
        *,
        url: str = "http://yard",
        api_key: str | None = None,
        retries: int = 2,
        timeout: float = 30.0,
    ) -> Client:
        """Make a client that is answered by `answer`, or by what is at the URL."""
        transport = None if answer is None else httpx.MockTransport(answer)
        if self._kind is Client:
            return Client(
                url,
                api_key=api_key,
                retries=retries,
                timeout=timeout,
                transport=transport,
                sleep=self.pauses.append,
            )
        client = AsyncClient(
            url,
            api_key=api_key,
            retries=retries,
            timeout=timeout,
            transport=transport,
            sleep=self._note,
        )
        return cast("Client", Awaited(client))

    async def _note(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture(params=[Client, AsyncClient])
def clients(request: pytest.FixtureRequest) -> Clients:
    """What makes clients: a test that takes it runs with both kinds."""
    return Clients(request.param)
