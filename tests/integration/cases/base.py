"""One wrong request, and what must come of it."""

from typing import Any, NamedTuple

JSON = {"Content-Type": "application/json"}


class Case(NamedTuple):
    """One request and what must come of it."""

    name: str
    status: int
    code: str
    pointer: str | None = None
    method: str = "POST"
    path: str = "/v1/jobs"
    body: Any = None
    content: bytes | None = None
    headers: dict[str, str] = {}
    files: Any = None


def raw(content: bytes) -> dict[str, Any]:
    """Make a case of bytes sent as JSON."""
    return {"content": content, "headers": JSON}
