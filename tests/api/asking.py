"""A client of the application without a server around it."""

import asyncio
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRouter

from service.api.app import create_app
from service.catalogue import Catalogue
from service.prediction.engine import Predictor
from service.settings import Settings
from service.store.engine import Database

LOCAL = "http://localhost"

_routers: dict[str, APIRouter] = {}
"""By the settings. They hold no parts of a service, and FastAPI prepares what each path takes when
it is first asked for: a tenth of a second, which hundreds of applications would spend anew."""


class Asking:
    """A client of the application, without a server; a bug is an answer as to any other client."""

    def __init__(self, database: Database, catalogue: Catalogue, **settings: object) -> None:
        self._app = _application(Settings().replacing(**settings), database, catalogue)

    def request(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """Send one request."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=LOCAL, timeout=90) as client:
                return await client.request(method, path, **sent)

        return asyncio.run(send())

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Read something."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("GET", path, headers=names)


def _application(settings: Settings, database: Database, catalogue: Catalogue) -> FastAPI:
    """Make an application with parts of its own."""
    predictor = Predictor(database, catalogue, memory_bytes=1)
    app = create_app(settings=settings, database=database, catalogue=catalogue, predictor=predictor)
    app.router = _routers.setdefault(settings.model_dump_json(), app.router)
    return app
