"""How calls are asked and their answers read, by the method of HTTP."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import httpx
from pydantic import BaseModel, JsonValue

from service.client import answers
from service.client.call import Call, Parts, Query, json_bytes

ModelT = TypeVar("ModelT", bound=BaseModel)


def get(
    path: str,
    model: type[ModelT],
    *,
    query: Query | None = None,
    headers: Mapping[str, str] | None = None,
    wait_seconds: float = 0.0,
) -> Call[ModelT]:
    """Read something; it is safe to ask again."""
    return Call(
        method="GET",
        path=path,
        read=reading(model),
        repeatable=True,
        query=query,
        headers=headers,
        wait_seconds=wait_seconds,
    )


def post(
    path: str,
    model: type[ModelT],
    *,
    repeatable: bool,
    query: Query | None = None,
    body: JsonValue = None,
    content: bytes | None = None,
    content_type: str = "application/json",
    parts: Parts | None = None,
    idempotency_key: str | None = None,
) -> Call[ModelT]:
    """Send something; `repeatable` says whether it is safe to send it again."""
    written = json_bytes(body) if body is not None else content
    headers = {} if written is None else {"Content-Type": content_type}
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key
    return Call(
        method="POST",
        path=path,
        read=reading(model),
        repeatable=repeatable,
        query=query,
        content=written,
        parts=parts,
        headers=headers,
    )


def send(method: str, path: str, model: type[ModelT], body: JsonValue) -> Call[ModelT]:
    """Put or patch something; it is safe to send it again."""
    return Call(
        method=method,
        path=path,
        read=reading(model),
        repeatable=True,
        content=json_bytes(body),
        headers={"Content-Type": "application/json"},
    )


def delete(path: str) -> Call[None]:
    """Delete something."""
    return Call(method="DELETE", path=path, read=answers.read_nothing, repeatable=True)


def reading(model: type[ModelT]) -> Callable[[httpx.Response], ModelT]:
    """Read the body as a model."""
    return partial(answers.read_model, model)
