"""What handlers are handed: the parts of the service, made once by `create_app`."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, FastAPI, Path, Query, Request

from service.api.limits import Gate
from service.api.readiness import Probe
from service.api.streams import EventFeed
from service.api.waiting import Waiter
from service.catalogue import Catalogue
from service.domain.text import ClientId, ShortText
from service.keeping import Kept
from service.prediction.engine import Predictor
from service.settings import Settings
from service.store.engine import Database


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of one running service."""

    settings: Settings
    database: Database
    catalogue: Catalogue
    predictor: Predictor
    waiter: Waiter
    feed: EventFeed
    uploads: Gate
    probe: Probe
    looks: Gate
    downloads: Gate
    looked: Kept = field(default_factory=Kept)
    running_keys: set[str] = field(default_factory=set[str])
    """The Idempotency-Keys of requests that this process works on."""


def parts_of(app: FastAPI) -> Parts:
    """Return the parts of an application."""
    return app.state.parts


# The dependencies that only look something up are async: a plain one costs a trip to a thread.
async def requested_parts(request: Request) -> Parts:
    """Return the parts of the application that a request came to."""
    return parts_of(request.app)


async def _database(request: Request) -> Database:
    return parts_of(request.app).database


PartsOf = Annotated[Parts, Depends(requested_parts)]
DatabaseOf = Annotated[Database, Depends(_database)]

JobIdPath = Annotated[ShortText, Path(description="The job's id.", examples=["job_0198c0de"])]
ClientIdPath = Annotated[
    ClientId, Path(description="Your own id for the job.", examples=["night-1"])
]
DatasetPath = Annotated[ShortText, Path(description="The dataset's name.", examples=["eating"])]
ModelPath = Annotated[
    ShortText,
    Path(
        description="`name` (newest version), `name@3`, `name@alias`, `mdl_…`, `job_…`, "
        "`job_…@best`, `ckpt_…`.",
        examples=["eating"],
    ),
]
Limit = Annotated[int, Query(ge=1, description="Items of a page; above 100 is lowered to 100.")]
After = Annotated[ShortText | None, Query(description="Go on after this id.")]
