"""`/v1/datasets/{name}/preview` and `…/statistics`: see what was uploaded."""

from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Response

from service.api.built_ins import bring_in
from service.api.parts import DatasetPath, Parts, PartsOf
from service.api.problems import problem_responses
from service.datasets import preview as previews
from service.datasets import statistics as measuring
from service.domain.datasets import Dataset, DatasetFacts, ImageFacts
from service.domain.looking import DatasetPreview, DatasetStatistics
from service.domain.problems import invalid_field
from service.store import datasets as dataset_store
from service.store.blobs import DatabaseBlobs
from service.store.errors import DatasetNotDownloaded

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

PNG = "image/png"
_VARY = {"Vary": "Accept"}


async def look_place(parts: PartsOf) -> AsyncGenerator[None]:
    """Dependency of looks: each takes a place, for it holds a dataset in memory."""
    with parts.looks.place():
        yield


@router.get(
    "/{name}/preview",
    response_model=DatasetPreview,
    responses={
        200: {"content": {PNG: {"schema": {"type": "string", "format": "binary"}}}},
        **problem_responses(404, 409, 422),
    },
)
def preview_dataset(
    name: DatasetPath,
    parts: PartsOf,
    rows: Annotated[int, Query(ge=1, le=previews.MAX_ROWS, description="How many.")] = 10,
    format: Annotated[  # noqa: A002  the name of the parameter
        Literal["json", "png"] | None, Query(description="png: pictures with labels, on one.")
    ] = None,
    accept: Annotated[str, Header(description="`image/png` does as `format=png`.")] = "*/*",
) -> Response:
    """Show the first rows; of pictures some of every class, also as one PNG with their labels."""
    dataset, facts = _found(parts, name)
    pictures = isinstance(facts.facts, ImageFacts)
    if format == "png" and not pictures:
        raise invalid_field("/query/format", f"must be json: {name} has no pictures")
    source = DatabaseBlobs(parts.database)
    if format == "png" or (format is None and pictures and PNG in accept):
        content = _kept(parts, dataset, ("png", rows), lambda: previews.sheet(facts, source, rows))
        return Response(content, media_type=PNG, headers=_VARY)

    def look() -> bytes:
        shown = previews.preview(facts, source, rows)
        if pictures:
            path = f"/v1/datasets/{quote(dataset.name)}/preview?format=png&rows={rows}"
            shown = shown.model_copy(update={"pictures": path})
        return shown.model_dump_json().encode()

    content = _kept(parts, dataset, ("json", rows), look)
    return Response(content, media_type="application/json", headers=_VARY)


@router.get(
    "/{name}/statistics",
    response_model=DatasetStatistics,
    responses=problem_responses(404, 409),
)
def measure_dataset(name: DatasetPath, parts: PartsOf) -> Response:
    """Count and measure: classes, lengths, words, columns, pixels; of many data a part."""
    dataset, facts = _found(parts, name)

    def measure() -> bytes:
        source = DatabaseBlobs(parts.database)
        return measuring.statistics(dataset, facts, source).model_dump_json().encode()

    content = _kept(parts, dataset, ("statistics", 0), measure)
    return Response(content, media_type="application/json")


def _found(parts: Parts, name: str) -> tuple[Dataset, DatasetFacts]:
    """Find a dataset whose bytes are there. Raises DatasetNotFound and DatasetNotDownloaded."""
    bring_in(parts.database, name)
    with parts.database.read() as session:
        dataset = dataset_store.get_dataset(session, name)
        facts = dataset_store.get_facts_by_id(session, dataset.id)
    if not dataset.downloaded:
        raise DatasetNotDownloaded(name)
    return dataset, facts


def _kept(
    parts: Parts, dataset: Dataset, what: tuple[str, int], make: Callable[[], bytes]
) -> bytes:
    return parts.looked.get((dataset.id, *what), make)
