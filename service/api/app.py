"""The application: routers, doors, problems and documentation, put together."""

from fastapi import Depends, FastAPI

from service.api import (
    components,
    datasets,
    jobs,
    metrics,
    models,
    openapi,
    predictions,
    problems,
    system,
)
from service.api.doors import Doors
from service.api.limits import TooLargeAnswers
from service.api.parts import Parts
from service.api.queries import refuse_unknown_parameters
from service.api.request_ids import RequestIds
from service.api.waiting import Waiter
from service.catalogue import Catalogue
from service.prediction.engine import Predictor
from service.settings import Settings
from service.store.engine import Database

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
        redoc_url=None,
        redirect_slashes=False,  # /v1/jobs/$JOB without a JOB shall be no list
    )
    app.state.parts = Parts(
        settings=settings,
        database=database,
        catalogue=catalogue,
        predictor=predictor,
        waiter=Waiter(database),
    )
    app.include_router(system.router)
    known_parameters = [Depends(refuse_unknown_parameters)]
    for part in (jobs, metrics, models, predictions, datasets, components):
        app.include_router(
            part.router,
            dependencies=known_parameters,
            max_body_size=settings.max_body_bytes,
        )
    app.include_router(
        datasets.upload_router,
        dependencies=known_parameters,
        max_body_size=settings.max_upload_bytes,
    )
    problems.install(app)
    openapi.install(app, catalogue)
    app.add_middleware(TooLargeAnswers)
    app.add_middleware(Doors)
    app.add_middleware(RequestIds)
    return app
