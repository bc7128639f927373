"""How bodies are read: media type, then JSON, then every wrong field at once.

FastAPI would parse JSON into Python first and lose what strict JSON refuses: NaN, lone surrogates,
nesting without end. Here the validator reads the bytes.
"""

import hashlib
from functools import partial
from typing import Any, TypeVar

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData

from service.api.idempotency import body_has_come, digest_of_form
from service.api.limits import begin_to_wait
from service.api.problems import BodyTooLarge, UnsupportedMediaType, refuse
from service.domain import validation

ModelT = TypeVar("ModelT", bound=BaseModel)

FORM = "multipart/form-data"
AT_ONCE_BYTES = 64 * 1024
"""Bodies up to this size are parsed at once; longer ones in a thread: megabytes take a second, and
nobody else would be answered meanwhile."""

MAX_SPEC_BYTES = 1 << 20
_MAX_FIELD_BYTES = 1 << 20


def media_type_of(request: Request) -> str:
    """Return the body's media type without its parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_json(media_type: str) -> bool:
    """Tell JSON and everything built on it (RFC 6839)."""
    return media_type == "application/json" or media_type.endswith("+json")


async def read_json(
    request: Request, model: type[ModelT], *, max_bytes: int | None = None
) -> ModelT:
    """Read the body as `model`. Raises UnsupportedMediaType, MalformedJson and Invalid.

    With `max_bytes`, less than the path takes altogether, also BodyTooLarge: JSON lies in memory.
    """
    if not is_json(media_type_of(request)):
        raise unsupported("application/json")
    body = await (request.body() if max_bytes is None else _bounded(request, max_bytes))
    begin_to_wait()
    await body_has_come(request, lambda: hashlib.sha256(body).hexdigest())
    if len(body) > AT_ONCE_BYTES:
        return await run_in_threadpool(validation.parse, model, body)
    return validation.parse(model, body)


async def read_form(request: Request, *, max_parts: int) -> FormData:
    """Read the parts of a form. Raises UnsupportedMediaType unless it is in UTF-8.

    The framework would take any codec of Python; some of them decode to what is no text, or fail.
    """
    _, options = parse_options_header(request.headers.get("content-type"))
    if options.get(b"charset", b"utf-8").lower() not in {b"utf-8", b"utf8"}:
        raise unsupported(f"{FORM}; charset=utf-8")
    form = await request.form(
        max_files=max_parts, max_fields=max_parts, max_part_size=_MAX_FIELD_BYTES
    )
    begin_to_wait()
    await body_has_come(request, partial(digest_of_form, form))
    return form


async def spec_part(form: FormData, *, names: str) -> bytes:
    """Return the bytes of the one part `spec`: a field, or a file of JSON. Raises Invalid.

    `names` is what the JSON in it names.
    """
    parts = form.getlist("spec")
    if len(parts) != 1:
        refuse("/spec", f"must be there once: a part `spec` with the JSON that names the {names}")
    part = parts[0]
    if isinstance(part, str):
        return part.encode()
    if (part.size or 0) > MAX_SPEC_BYTES:
        refuse("/spec", f"must have at most {MAX_SPEC_BYTES:,} bytes")
    return await part.read()


async def _bounded(request: Request, max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > max_bytes:
            raise BodyTooLarge
    return bytes(body)


def unsupported(*taken: str) -> UnsupportedMediaType:
    """Say which media types a path takes."""
    return UnsupportedMediaType(f"Send the body with Content-Type: {' or '.join(taken)}.")


def takes(**contents: dict[str, Any]) -> dict[str, Any]:
    """Document a request body: media type with `_` for `/` → schema and examples."""
    media_types = {name.replace("_", "/", 1).replace("_", "-"): c for name, c in contents.items()}
    return {"requestBody": {"required": True, "content": media_types}}


def named(schema: str, **examples: Any) -> dict[str, Any]:
    """Refer to a schema of the document, with worked examples by name."""
    return {
        "schema": {"$ref": f"#/components/schemas/{schema}"},
        "examples": {name: {"value": value} for name, value in examples.items()},
    }
