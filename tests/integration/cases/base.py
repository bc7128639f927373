"""One wrong request, and what must come of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

JSON = {"Content-Type": "application/json"}


class Case(NamedTuple):
    """One request and what must come of it.

    `{queued}` and the like in a path stand for a new job in that state, see `states`.
    """

    name: str
    status: int
    code: str | None
    pointer: str | None = None
    method: str = "POST"
    path: str = "/v1/jobs"
    body: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = {}
    files: Any = None
    declared: int | None = None
    """A Content-Length whose bytes are never sent."""
    chunks: int = 0
    """Mebibytes that are sent without a Content-Length."""


def raw(content: bytes) -> dict[str, Any]:
    """Make a case of bytes sent as JSON."""
    return {"content": content, "headers": JSON}


def get(path: str) -> dict[str, Any]:
    """Make a case of reading."""
    return {"method": "GET", "path": path}


def delete(path: str) -> dict[str, Any]:
    """Make a case of deleting."""
    return {"method": "DELETE", "path": path}
