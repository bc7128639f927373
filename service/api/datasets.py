"""`/v1/datasets`: upload, list, read and delete data."""

from collections.abc import AsyncGenerator
from io import BytesIO
from typing import Annotated, BinaryIO
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import RootModel
from starlette.datastructures import FormData

from service.api.bodies import (
    FORM,
    is_json,
    media_type_of,
    named,
    read_form,
    read_json,
    spec_part,
    takes,
    unsupported,
)
from service.api.built_ins import bring_in, bring_in_all
from service.api.idempotency import Once
from service.api.parts import After, DatabaseOf, DatasetPath, Limit, Parts, PartsOf, parts_of
from service.api.problems import problem_responses, refuse
from service.datasets import json_rows, registry
from service.datasets.findings import MAX_FINDINGS
from service.domain import validation
from service.domain.datasets import (
    AnyDatasetSpec,
    Dataset,
    DatasetBody,
    DatasetList,
    DatasetReport,
    DatasetUploadSpec,
    Finding,
    LabelledTextDatasetBody,
    LabelledTextDatasetSpec,
    NewDataset,
    TableDatasetBody,
    TableDatasetSpec,
    TextDatasetBody,
    TextDatasetSpec,
)
from service.store import datasets as dataset_store
from service.store.blobs import DatabaseBlobs
from service.store.engine import database_now

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])
upload_router = APIRouter(prefix="/v1/datasets", tags=["datasets"])
removal_router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

MAX_PARTS = 8

_FORM_SCHEMA = {
    "schema": {
        "type": "object",
        "required": ["spec"],
        "additionalProperties": False,
        "properties": {
            "spec": {"$ref": "#/components/schemas/UploadSpec"},
            "file": {"type": "string", "format": "binary", "description": "The text or the rows."},
            "validation_file": {
                "type": "string",
                "format": "binary",
                "description": "What validates, of a text and of rows; else a part is held out.",
            },
            "images": {"type": "string", "format": "binary", "description": "IDX, plain or gzip."},
            "labels": {"type": "string", "format": "binary"},
            "test_images": {"type": "string", "format": "binary"},
            "test_labels": {"type": "string", "format": "binary"},
        },
    },
    "encoding": {"spec": {"contentType": "application/json"}},
    "examples": {
        "text": {
            "value": {"spec": '{"name": "nature", "type": "text"}', "file": "the sun is warm"}
        },
        "table": {
            "value": {
                "spec": '{"name": "plants", "type": "table", "target": "height_cm"}',
                "file": "light_hours,height_cm\n4,12.5\n8,31\n",
            }
        },
        "idx": {"value": {"spec": '{"name": "my-digits", "type": "idx"}', "images": "…"}},
    },
}
_BODY = takes(
    multipart_form_data=_FORM_SCHEMA,
    application_json=named(
        "DatasetBody",
        text={"name": "nature", "type": "text", "text": "the sun is warm\nthe sea is deep\n"},
        labelled_text={
            "name": "opinions",
            "type": "labelled_text",
            "rows": [
                {"text": "I like it", "label": "good"},
                {"text": "never again", "label": "bad"},
                {"text": "very nice", "label": "good"},
                {"text": "it broke", "label": "bad"},
            ],
        },
        table={
            "name": "plants",
            "type": "table",
            "target": "height_cm",
            "rows": [
                {"light_hours": 4, "soil": "sand", "height_cm": 12.5},
                {"light_hours": 8, "soil": "loam", "height_cm": 31},
            ],
        },
    ),
)


class UploadSpec(RootModel[DatasetUploadSpec]):
    """The part `spec` of an upload."""


class Upload:
    """What came in: the spec and the files under their roles."""

    def __init__(self, spec: AnyDatasetSpec, files: dict[str, BinaryIO]) -> None:
        self.spec = spec
        self.files = files


async def upload_place(parts: PartsOf) -> AsyncGenerator[None]:
    """Dependency of uploads: each takes a place before its body is read."""
    with parts.uploads.place():
        yield


async def _upload(request: Request) -> Upload:
    media_type = media_type_of(request)
    if is_json(media_type):
        max_bytes = parts_of(request.app).settings.max_body_bytes
        body = (await read_json(request, DatasetBody, max_bytes=max_bytes)).root
        return await run_in_threadpool(_written, body)
    if media_type != FORM:
        raise unsupported(FORM, "application/json")
    form = await read_form(request, max_parts=MAX_PARTS)
    spec = validation.parse(UploadSpec, await spec_part(form, names="dataset")).root
    return Upload(spec, _files(form))


def _written(body: TextDatasetBody | LabelledTextDatasetBody | TableDatasetBody) -> Upload:
    """Make of a body the file that it would have been."""
    if isinstance(body, TextDatasetBody):
        said = body.model_dump(exclude={"text"}, exclude_unset=True)
        return Upload(TextDatasetSpec.model_validate(said), {"file": BytesIO(body.text.encode())})
    said = body.model_dump(exclude={"rows"}, exclude_unset=True)
    if any(isinstance(row, dict) for row in body.rows):
        said.setdefault("header", True)  # the keys, whatever the values look like
    kind = TableDatasetSpec if isinstance(body, TableDatasetBody) else LabelledTextDatasetSpec
    return Upload(kind.model_validate(said), {"file": BytesIO(json_rows.as_csv(body.rows))})


def _files(form: FormData) -> dict[str, BinaryIO]:
    files: dict[str, BinaryIO] = {}
    for role, part in form.multi_items():
        if role == "spec":
            continue
        if role in files:
            refuse(f"/{role}", "is there twice; send each file once")
        if isinstance(part, str):  # decoded already, perhaps wrongly: its bytes are gone
            refuse(f"/{role}", "must be a file: give the part a filename, as curl -F file=@… does")
        files[role] = part.file
    return files


@upload_router.post(
    "",
    status_code=201,
    response_model=Dataset,
    responses={
        200: {
            "model": Dataset | DatasetReport,
            "description": "The same dataset was there already; with dry_run: what was found.",
        },
        **problem_responses(400, 409, 413, 415, 422),
    },
    openapi_extra=_BODY,
)
def create_dataset(
    once: Once,
    upload: Annotated[Upload, Depends(_upload)],
    parts: PartsOf,
    dry_run: Annotated[bool, Query(description="Answer a report; store nothing.")] = False,
) -> Response:
    """Check data wholly and store them. The same bytes and options under the same name: 200."""
    bring_in(parts.database, upload.spec.name)
    if dry_run:
        return _as_json(_report(parts, upload))
    new = _take_in(parts, upload)
    with once.begin() as session:
        dataset, created = dataset_store.add_dataset(session, new, now=database_now(session))
        location = f"/v1/datasets/{quote(dataset.name)}"
        return once.answer(session, dataset, status=201 if created else 200, location=location)


def _take_in(parts: Parts, upload: Upload) -> NewDataset:
    return registry.take_in(
        upload.spec,
        upload.files,
        DatabaseBlobs(parts.database),
        max_decoded_bytes=parts.settings.max_dataset_bytes,
    )


def _report(parts: Parts, upload: Upload) -> DatasetReport:
    """Tell what an upload would become, also that its name is taken."""
    report = registry.report(
        upload.spec, upload.files, max_decoded_bytes=parts.settings.max_dataset_bytes
    )
    with parts.database.read() as session:
        known = dataset_store.find_sha256(session, upload.spec.name)
    if known is None or report.sha256 in {None, known}:
        return report
    detail = "another dataset has this name; choose another, or delete that one"
    taken = Finding(level="error", code="dataset_name_taken", detail=detail)
    findings = [taken, *report.findings][:MAX_FINDINGS]
    return report.model_copy(update={"accepted": False, "findings": findings})


def _as_json(report: DatasetReport) -> Response:
    return Response(report.model_dump_json(), media_type="application/json")


@router.get("", responses=problem_responses(400, 422))
def list_datasets(database: DatabaseOf, limit: Limit = 20, after: After = None) -> DatasetList:
    """List datasets, newest first, the built-in ones too."""
    bring_in_all(database)
    with database.read() as session:
        return dataset_store.list_datasets(session, limit=limit, after=after)


@router.get("/{name}", responses=problem_responses(404))
def get_dataset(name: DatasetPath, database: DatabaseOf) -> Dataset:
    """Read what is known of a dataset."""
    bring_in(database, name)
    with database.read() as session:
        return dataset_store.get_dataset(session, name)


@removal_router.delete("/{name}", status_code=204, responses=problem_responses(404, 409))
def delete_dataset(name: DatasetPath, database: DatabaseOf) -> None:
    """Delete a dataset that no unfinished job uses. Models keep what they learned."""
    bring_in(database, name)
    with database.begin() as session:
        dataset_store.delete_dataset(session, name)
