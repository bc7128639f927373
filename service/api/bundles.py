"""`GET /v1/models/{model}/download` and `POST /v1/models`: models that leave, and that come."""

import hashlib
from collections.abc import AsyncGenerator, Iterator
from contextvars import Context
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import Annotated, BinaryIO, Literal, NamedTuple, cast
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.datastructures import FormData

from service.api.bodies import FORM, media_type_of, read_form, spec_part, takes, unsupported
from service.api.etags import matches
from service.api.idempotency import Once, body_has_come
from service.api.limits import Gate, begin_to_wait
from service.api.parts import ModelPath, PartsOf
from service.api.problems import problem_responses, refuse
from service.domain import validation
from service.domain.bundles import ImportSpec
from service.domain.models import ModelChange, ModelVersion
from service.domain.text import Name
from service.prediction.bundles import archive, checking, contents, onnx_file
from service.store import imports, registry, versions
from service.store.blobs import DatabaseBlobs
from service.store.engine import database_now
from service.store.gone import again_when_gone

router = APIRouter(prefix="/v1/models", tags=["models"])
import_router = APIRouter(prefix="/v1/models", tags=["models"])

MAX_DOWNLOADS = 8
"""Bundles sent at a time: each reads all weights of a model."""

_ZIP, _ONNX = "application/zip", "application/octet-stream"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_MAX_PARTS = 2
_IN_MEMORY = 1 << 20
_FORM_SCHEMA = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "additionalProperties": False,
        "properties": {
            "spec": {"$ref": "#/components/schemas/ImportSpec"},
            "file": {"type": "string", "format": "binary", "description": "The zip."},
        },
    },
    "encoding": {"spec": {"contentType": "application/json"}},
}


async def download_place(parts: PartsOf) -> AsyncGenerator[None]:
    """Dependency of downloads: each takes a place until it was sent. Raises Busy."""
    with parts.downloads.place():
        yield


def gate() -> Gate:
    """Make what counts the downloads of a process."""
    return Gate(MAX_DOWNLOADS)


@router.get(
    "/{model}/download",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {_ZIP: _BINARY, _ONNX: _BINARY},
            "description": "The zip, or the file of ONNX.",
        },
        304: {"description": "It has not changed since `If-None-Match`."},
        **problem_responses(404, 409),
    },
)
def download_model(
    model: ModelPath,
    parts: PartsOf,
    file_format: Annotated[
        Literal["zip", "onnx"],
        Query(
            alias="format",
            description="`onnx`: the network alone, for what runs models without PyTorch.",
        ),
    ] = "zip",
    if_none_match: Annotated[str, Header(description="An ETag of an earlier answer.")] = "",
) -> Response:
    """Download a model as a zip that works with plain PyTorch: weights, options, `model.py`.

    The same version gives the same bytes. `POST /v1/models` of another service takes it.
    """

    def answer() -> Response:
        bundle = contents.describe(parts.database, parts.catalogue, model)
        headers = {
            "ETag": f'"{bundle.tag}-{file_format}"',
            "Cache-Control": "no-cache",
            "Content-Disposition": _disposition(f"{bundle.name}.{file_format}"),
        }
        if file_format == "onnx":
            onnx_file.check(bundle)
        if matches(if_none_match, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        if file_format == "onnx":
            written = onnx_file.onnx_file(parts.database, parts.catalogue, bundle)
            headers["Content-Length"] = str(written.size)
            return StreamingResponse(written.pieces(), media_type=_ONNX, headers=headers)
        files = contents.files(parts.database, parts.catalogue, bundle)
        headers["Content-Length"] = str(archive.size_of(files))
        pieces = unhurried(archive.packed(files))
        return StreamingResponse(pieces, media_type=_ZIP, headers=headers)

    return again_when_gone(answer)


def unhurried(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Read on however late it is: the deadline of a request is that of its first byte."""
    context = Context()
    while (piece := context.run(next, pieces, None)) is not None:
        yield piece


class Upload(NamedTuple):
    """What came in: a zip, and what the model shall be called."""

    spec: ImportSpec
    file: BinaryIO


async def _upload(
    request: Request,
    name: Annotated[
        Name | None, Query(description="What it is called here; or say it in the part `spec`.")
    ] = None,
) -> AsyncGenerator[Upload]:
    """Read the body, to a file where it is large."""
    media_type = media_type_of(request)
    if media_type == FORM:
        form = await read_form(request, max_parts=_MAX_PARTS)
        yield Upload(await _spec_of(form, name), _file_of(form))
        return
    if media_type != _ZIP:
        raise unsupported(FORM, _ZIP)
    if name is None:
        refuse("/query/name", "must say what the model is called here")
    with SpooledTemporaryFile(_IN_MEMORY) as spooled:
        digest = hashlib.sha256()
        async for piece in request.stream():
            digest.update(piece)
            await run_in_threadpool(spooled.write, piece)
        begin_to_wait()
        await body_has_come(request, digest.hexdigest)
        yield Upload(ImportSpec(name=name), cast("BinaryIO", spooled))


async def _spec_of(form: FormData, name: str | None) -> ImportSpec:
    """Read the part `spec`, or take the name of the query."""
    if "spec" not in form and name is not None:
        return ImportSpec(name=name)
    spec = validation.parse(ImportSpec, await spec_part(form, names="model"))
    if name not in {None, spec.name}:
        refuse("/name", "is another one than the query says; give it once")
    return spec


def _file_of(form: FormData) -> BinaryIO:
    """Find the zip in a form."""
    for role in form:
        if role not in {"spec", "file"}:
            refuse(
                f"/{role}"[:100], "is no part of an import; send `file`, and `spec` with its name"
            )
    parts = form.getlist("file")
    if len(parts) != 1:
        refuse("/file", "must be there once: the zip of a model")
    part = parts[0]
    if isinstance(part, str):
        refuse("/file", "must be a file: give the part a filename, as curl -F file=@… does")
    return part.file


@import_router.post(
    "",
    status_code=201,
    response_model=ModelVersion,
    responses={
        200: {"model": ModelVersion, "description": "The name has this very model already."},
        **problem_responses(400, 409, 413, 415, 422),
    },
    openapi_extra=takes(multipart_form_data=_FORM_SCHEMA, application_zip=_BINARY),
)
def import_model(
    once: Once, upload: Annotated[Upload, Depends(_upload)], parts: PartsOf
) -> Response:
    """Bring in a model that was downloaded elsewhere, as the next version of a name.

    It answers as it did there. The same model under the same name is the version that exists.
    Nothing in the zip is run: its `model.py` is for people, and a pickle refuses it.
    """
    database, name = parts.database, upload.spec.name
    largest = parts.settings.max_dataset_bytes
    with checking.checked(upload.file, parts.catalogue, max_bytes=largest) as bundle:
        with database.read() as session:
            versions.check_task(session, name, bundle.config.task)
        put = DatabaseBlobs(database)
        put.put(bundle.weights)
        put.put(BytesIO(bundle.preparation))
    size = bundle.weights_bytes
    with once.begin() as session:
        now = database_now(session)
        made, is_new = imports.add_import(session, name, bundle.config, weights_bytes=size, now=now)
        if is_new and upload.spec.description is not None:
            change = ModelChange(description=upload.spec.description)
            registry.change_model(session, name, change)
        location = f"/v1/models/{quote(name)}@{made.version}"
        return once.answer(session, made, status=201 if is_new else 200, location=location)


def _disposition(name: str) -> str:
    """Write a file's name for everybody (RFC 6266): names may be Korean, headers not."""
    plain = "".join(each if each.isascii() else "_" for each in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
