"""`/v1/jobs/{id}/metrics`: the series of a job, as JSON or CSV."""

import csv
import io
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from service.api.parts import DatabaseOf, JobIdPath
from service.api.problems import problem_responses
from service.domain.jobs import Metrics
from service.domain.text import ShortText
from service.store import metrics as metric_store

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
        int | None,
        Query(ge=4, le=1_000_000, description="Thin longer series; minimum and maximum are kept."),
    ] = None,
    accept: Annotated[str, Header(description="`text/csv` for name,step,epoch,value.")] = "*/*",
) -> Response:
    """Read the series of a job while it trains or later; CSV has every point."""
    with database.read() as session:
        if CSV in accept:
            rows = list(metric_store.iter_csv_rows(session, job_id, name))
            return Response(_as_csv(rows), media_type=CSV, headers={"Vary": "Accept"})
        metrics = metric_store.get_metrics(session, job_id, names=name, max_points=max_points)
    content = metrics.model_dump_json()
    return Response(content, media_type="application/json", headers={"Vary": "Accept"})


def _as_csv(rows: list[metric_store.CsvRow]) -> str:
    """Write RFC 4180; `repr` of a float is the shortest text that reads back as the same number."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(metric_store.CsvRow._fields)
    writer.writerows((row.name, row.step, row.epoch, repr(row.value)) for row in rows)
    return text.getvalue()
