"""`GET /v1/models/{model}/download` and `POST /v1/models`: models that leave, and that come."""

from collections.abc import AsyncGenerator, Iterator
from contextvars import Context
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse

from service.api.limits import Gate
from service.api.parts import ModelPath, PartsOf
from service.api.problems import problem_responses
from service.prediction.bundles import archive, contents

router = APIRouter(prefix="/v1/models", tags=["models"])

MAX_DOWNLOADS = 8
"""Bundles sent at a time: each reads all weights of a model."""

_ZIP = "application/zip"
_BINARY = {"schema": {"type": "string", "format": "binary"}}


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
        200: {"content": {_ZIP: _BINARY}, "description": "The zip."},
        304: {"description": "It has not changed since `If-None-Match`."},
        **problem_responses(404, 409),
    },
)
def download_model(
    model: ModelPath,
    parts: PartsOf,
    if_none_match: Annotated[str, Header(description="An ETag of an earlier answer.")] = "",
) -> Response:
    """Download a model as a zip that works with plain PyTorch: weights, options, `model.py`.

    The same version gives the same bytes. `POST /v1/models` of another service takes it.
    """

    def answer() -> Response:
        bundle = contents.describe(parts.database, parts.catalogue, model)
        headers = {"ETag": f'"{bundle.tag}"', "Cache-Control": "no-cache"}
        if _matches(if_none_match, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        files = contents.files(parts.database, parts.catalogue, bundle)
        headers["Content-Length"] = str(archive.size_of(files))
        headers["Content-Disposition"] = _disposition(f"{bundle.name}.zip")
        pieces = unhurried(archive.packed(files))
        return StreamingResponse(pieces, media_type=_ZIP, headers=headers)

    return contents.trying(answer)


def unhurried(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Read on however late it is: the deadline of a request is that of its first byte."""
    context = Context()
    while (piece := context.run(next, pieces, None)) is not None:
        yield piece


def _matches(given: str, tag: str) -> bool:
    """Compare weakly, as RFC 9110 section 13.1.2 says."""
    named = [each.strip().removeprefix("W/") for each in given.split(",")]
    return "*" in named or tag in named


def _disposition(name: str) -> str:
    """Write a file's name for everybody (RFC 6266): names may be Korean, headers not."""
    plain = "".join(each if each.isascii() else "_" for each in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
