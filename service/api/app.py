"""The application: routers, doors, problems and documentation, put together."""

from typing import Any, NamedTuple

from fastapi import APIRouter, Depends, FastAPI

from service.api import (
    bundles,
    cards,
    certificates,
    components,
    datasets,
    events,
    forks,
    generations,
    histories,
    idempotency,
    jobs,
    looking,
    metrics,
    models,
    openapi,
    pages,
    predictions,
    problems,
    promotions,
    recipes,
    registry,
    scores,
    sessions,
    system,
)
from service.api.access import AccessLog
from service.api.direct import DirectPredictions
from service.api.doors import Doors, Origins
from service.api.draining import CutOffAnswers
from service.api.limits import BodyLimits, Gate, refuse_when_full
from service.api.parts import Parts
from service.api.queries import refuse_unknown_parameters
from service.api.readiness import Probe
from service.api.request_ids import RequestIds
from service.api.scopes import requires
from service.api.streams import EventFeed
from service.api.waiting import Waiter
from service.catalogue import Catalogue
from service.domain.keys import Scope
from service.prediction.engine import Predictor
from service.settings import Settings
from service.store.engine import Database

MAX_UPLOADS = 16
"""Uploads taken in at a time: they hold a thread and the disk for long."""

MAX_LOOKS = 4
"""Datasets looked through at a time: each is in memory meanwhile."""

CORS_REQUEST_HEADERS = [
    "Accept",
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "X-Api-Key",
    "X-Request-Id",
]
CORS_ANSWER_HEADERS = [
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Preference-Applied",
    "Retry-After",
    "X-Request-Id",
    "X-Should-Retry",
]
TAGS = {
    "jobs": "Start, watch and steer training.",
    "datasets": "Bring data, and see what is there.",
    "models": "What training has made: names and their versions.",
    "predictions": "Ask a model, also while it trains.",
    "components": "What jobs can be made of, with every option.",
    "system": "Is it alive, is it ready, what does it hold.",
}
"""In the order in which a reader needs them."""

DESCRIPTION = """Train PyTorch models and ask them, over HTTP.

1. `POST /v1/jobs` with a dataset and an architecture; the answer is the job.
2. `GET /v1/jobs/{id}` with `Prefer: wait=30` until it has succeeded; `/metrics` has the loss.
3. `POST /v1/models/{model}/predict`, also while the job still trains, as `job_…`.
"""


def create_app(
    *, settings: Settings, database: Database, catalogue: Catalogue, predictor: Predictor
) -> FastAPI:
    """Make the application of these parts; it starts nothing by itself."""
    app = FastAPI(
        title="Trainyard",
        version="1",
        description=DESCRIPTION,
        openapi_tags=[{"name": name, "description": said} for name, said in TAGS.items()],
        docs_url=None,  # a page of our own, whose scripts need no network
        redoc_url=None,
        generate_unique_id_function=openapi.operation_id,
        redirect_slashes=False,  # /v1/jobs/$JOB without a JOB shall be no list
    )
    app.state.parts = Parts(
        settings=settings,
        database=database,
        catalogue=catalogue,
        predictor=predictor,
        waiter=Waiter(database),
        feed=EventFeed(database),
        uploads=Gate(MAX_UPLOADS),
        probe=Probe(database),
        looks=Gate(MAX_LOOKS),
        downloads=bundles.gate(),
    )
    for part in _parts(settings):
        app.include_router(
            part.router, dependencies=part.dependencies, max_body_size=part.max_body_bytes
        )
    app.include_router(pages.router)
    problems.install(app)
    idempotency.install(app)
    openapi.install(app, catalogue)
    _add_middleware(app, settings)
    return app


class Part(NamedTuple):
    """Some paths, what must hold for each of them, and how much they take."""

    router: APIRouter
    dependencies: list[Any]
    max_body_bytes: int | None


def _parts(settings: Settings) -> list[Part]:
    """List all paths with the scope that they need."""
    body, upload = settings.max_body_bytes, settings.max_upload_bytes

    def part(router: APIRouter, scope: Scope, size: int = body, *others: Any) -> Part:
        guard = [requires(scope)] if settings.keys else []
        return Part(router, [*guard, Depends(refuse_unknown_parameters), *others], size)

    threaded = Depends(refuse_when_full)
    return [
        part(predictions.router, "predict"),  # first: whoever routes tries them in this order
        part(generations.router, "predict"),
        part(scores.router, "predict"),
        part(sessions.router, "predict"),
        part(histories.router, "predict"),
        Part(system.probes, [], None),
        part(system.router, "train", body, threaded),
        part(jobs.router, "train", body, threaded),
        part(forks.router, "train", body, threaded),
        part(metrics.router, "train", body, threaded),
        part(events.router, "train", body, threaded),
        part(certificates.router, "train", body, threaded),
        part(models.router, "predict", body, threaded),
        part(cards.router, "predict", body, threaded),
        part(bundles.router, "predict", body, threaded, Depends(bundles.download_place)),
        part(bundles.import_router, "train", upload, threaded, Depends(datasets.upload_place)),
        part(promotions.router, "train", body, threaded),
        part(registry.router, "train", body, threaded),
        part(registry.deletion, "admin", body, threaded),
        part(datasets.router, "train", body, threaded),
        part(looking.router, "train", body, threaded, Depends(looking.look_place)),
        part(datasets.upload_router, "train", upload, threaded, Depends(datasets.upload_place)),
        part(datasets.removal_router, "admin", body, threaded),
        part(components.router, "train", body, threaded),
        part(recipes.router, "train", body, threaded),
    ]


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Wrap the application, from the inside out."""
    app.add_middleware(DirectPredictions)
    app.add_middleware(BodyLimits)
    app.add_middleware(
        Doors,
        keys=settings.keys,
        origins=settings.origins,
        local=not settings.insecure,
    )
    if settings.origins:
        app.add_middleware(
            Origins,
            allow_origins=settings.origins,
            allow_methods=["*"],
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_ANSWER_HEADERS,
            max_age=600,
        )
    app.add_middleware(CutOffAnswers)
    app.add_middleware(AccessLog)
    app.add_middleware(RequestIds)
