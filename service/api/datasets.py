"""`/v1/datasets`: upload, list, read and delete data."""

from collections.abc import AsyncGenerator
from io import BytesIO
from typing import Annotated, BinaryIO
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from pydantic import RootModel
from starlette.datastructures import FormData

from service.api.bodies import (
    FORM,
    is_json,
    media_type_of,
    named,
    read_form,
    read_json,
    takes,
    unsupported,
)
from service.api.built_ins import bring_in, bring_in_all
from service.api.idempotency import Once
from service.api.parts import After, DatabaseOf, DatasetPath, Limit, Parts, PartsOf, parts_of
from service.api.problems import problem_responses, refuse
from service.datasets import registry
from service.domain import validation
from service.domain.datasets import (
    AnyDatasetSpec,
    Dataset,
    DatasetList,
    DatasetUploadSpec,
    NewDataset,
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
MAX_SPEC_BYTES = 1 << 20

_FORM_SCHEMA = {
    "schema": {
        "type": "object",
        "required": ["spec"],
        "additionalProperties": False,
        "properties": {
            "spec": {"$ref": "#/components/schemas/UploadSpec"},
            "file": {"type": "string", "format": "binary", "description": "The text."},
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
        "idx": {"value": {"spec": '{"name": "my-digits", "type": "idx"}', "images": "…"}},
    },
}
_BODY = takes(
    multipart_form_data=_FORM_SCHEMA,
    application_json=named(
        "TextDatasetBody",
        text={"name": "nature", "type": "text", "text": "the sun is warm\nthe sea is deep\n"},
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
        body = await read_json(request, TextDatasetBody, max_bytes=max_bytes)
        spec = TextDatasetSpec.model_validate(body.model_dump(exclude={"text"}))
        return Upload(spec, {"file": BytesIO(body.text.encode())})
    if media_type != FORM:
        raise unsupported(FORM, "application/json")
    form = await read_form(request, max_parts=MAX_PARTS)
    spec = validation.parse(UploadSpec, await _spec_part(form)).root
    return Upload(spec, _files(form))


async def _spec_part(form: FormData) -> bytes:
    """Return the bytes of the one part `spec`: a field, or a file of JSON."""
    parts = form.getlist("spec")
    if len(parts) != 1:
        refuse("/spec", "must be there once: a part `spec` with the JSON that names the dataset")
    part = parts[0]
    if isinstance(part, str):
        return part.encode()
    if (part.size or 0) > MAX_SPEC_BYTES:
        refuse("/spec", f"must have at most {MAX_SPEC_BYTES:,} bytes")
    return await part.read()


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
        200: {"model": Dataset, "description": "The same dataset was there already."},
        **problem_responses(400, 409, 413, 415, 422),
    },
    openapi_extra=_BODY,
)
def create_dataset(
    once: Once, upload: Annotated[Upload, Depends(_upload)], parts: PartsOf
) -> Response:
    """Check data wholly and store them. The same bytes and options under the same name: 200."""
    bring_in(parts.database, upload.spec.name)
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
