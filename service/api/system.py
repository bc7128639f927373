"""Is it alive, is it ready, and what is it: `/livez`, `/readyz`, `/v1/system`."""

import platform
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import Field

from service.api.parts import Parts, PartsOf
from service.api.problems import problem_responses
from service.api.readiness import Readiness
from service.domain.base import Outgoing
from service.domain.system import DatabaseFacts
from service.domain.workers import Worker
from service.store import workers as worker_store
from service.store.system import database_facts

router = APIRouter(tags=["system"])
probes = APIRouter(tags=["system"])


class Alive(Outgoing):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Limits(Outgoing):
    """The limits of this service; see the README for the settings."""

    max_body_bytes: int
    max_upload_bytes: int
    max_dataset_bytes: int
    max_parameters: int
    max_queued_jobs: int


class Generating(Outgoing):
    """What this one process does with texts."""

    tokens_written: int = Field(
        description="Since it began, whether anybody read them or not: the work that was done."
    )
    texts_at_work: int = Field(
        description="Texts that are written, scored, asked about in sessions, or over time, at "
        "this moment."
    )
    sessions: int = Field(description="Sessions that are kept in memory.")


class SystemInfo(Outgoing):
    """Versions, limits, workers, what the database holds, and what is written."""

    object: Literal["system"] = "system"
    versions: dict[str, str]
    device: str | None = Field(description="The best device a worker has; null without workers.")
    threads: int
    limits: Limits
    workers: list[Worker]
    database: DatabaseFacts
    generation: Generating


@probes.get("/", include_in_schema=False)
def root() -> RedirectResponse:
    """Send browsers to the documentation."""
    return RedirectResponse("/docs")


@probes.get("/livez")
async def livez() -> Alive:
    """Say that the process lives; nothing is touched."""
    return Alive()


@probes.get(
    "/readyz",
    responses={503: {"model": Readiness, "description": "`reason` says what is missing."}},
)
async def readyz(parts: PartsOf, response: Response) -> Readiness:
    """Say whether the database answers and is migrated. Workers may be away: predictions work."""
    readiness = await parts.probe.look()
    if readiness.status != "ready":
        response.status_code = 503
    return readiness


@router.get(
    "/v1/system",
    responses=problem_responses(400),
)
def system(parts: PartsOf) -> SystemInfo:
    """Read versions, limits, workers, and rows and bytes in the database."""
    with parts.database.read() as session:
        workers = worker_store.list_workers(session)
        facts = database_facts(session)
    return SystemInfo(
        versions={
            "trainyard": version("trainyard"),
            "python": platform.python_version(),
            "torch": version("torch"),
            "sqlalchemy": version("sqlalchemy"),
        },
        device=_best_device(workers),
        threads=parts.settings.most_threads,
        limits=_limits(parts),
        workers=workers,
        database=facts,
        generation=_generating(parts),
    )


def _best_device(workers: list[Worker]) -> str | None:
    offered = {device for worker in workers for device in worker.devices}
    return next((device for device in ("cuda", "mps", "cpu") if device in offered), None)


def _generating(parts: Parts) -> Generating:
    predictor = parts.predictor
    return Generating(
        tokens_written=predictor.tally.tokens,
        texts_at_work=predictor.texts_at_work(),
        sessions=len(predictor.sessions),
    )


def _limits(parts: Parts) -> Limits:
    settings = parts.settings
    return Limits(**{name: getattr(settings, name) for name in Limits.model_fields})
