"""`/v1/jobs/{id}/metrics`: the series of a job, as JSON or CSV."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from service.api.parts import DatabaseOf, JobIdPath
from service.api.problems import problem_responses
from service.domain.jobs import Metrics
from service.domain.text import ShortText
from service.store import metrics as metric_store
from service.store.deadline import has_begun
from service.store.engine import Database
from service.store.metrics import CsvRow

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
CSV = "text/csv"


@router.get(
    "/{job_id}/metrics",
    response_model=Metrics,
    responses={
        200: {"content": {CSV: {"example": "name,step,epoch,value\ntrain_loss,10,1,2.3026\n"}}},
        **problem_responses(404, 422),
    },
)
def get_metrics(
    job_id: JobIdPath,
    database: DatabaseOf,
    name: Annotated[list[ShortText] | None, Query(description="Only these series.")] = None,
    max_points: Annotated[
        int, Query(ge=4, le=100_000, description="Thin longer series; first, last, extremes stay.")
    ] = 10_000,
    accept: Annotated[str, Header(description="`text/csv` for name,step,epoch,value.")] = "*/*",
) -> Response:
    """Read the series of a job while it trains or later, thinned out; CSV has every point."""
    vary = {"Vary": "Accept"}
    if CSV in accept:
        return StreamingResponse(_as_csv(database, job_id, name), media_type=CSV, headers=vary)
    with database.read() as session:
        metrics = metric_store.get_metrics(session, job_id, names=name, max_points=max_points)
    content = metrics.model_dump_json()
    return Response(content, media_type="application/json", headers=vary)


def _as_csv(database: Database, job_id: str, names: Sequence[str] | None) -> Iterator[str]:
    """Write RFC 4180, part by part: between two of them neither thread nor connection is held.

    The first part is read at once: a job that is not there is a problem, no broken table.
    """

    def read(after: CsvRow | None) -> list[CsvRow]:
        if after is not None:
            has_begun()
        with database.read() as session:
            return metric_store.csv_page(session, job_id, names, after=after)

    def parts(rows: list[CsvRow]) -> Iterator[str]:
        yield _lines([CsvRow._fields])
        while rows:
            # `repr` of a float is the shortest text that reads back as the same number.
            yield _lines((row.name, row.step, row.epoch, repr(row.value)) for row in rows)
            rows = read(rows[-1])

    return parts(read(None))


def _lines(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
