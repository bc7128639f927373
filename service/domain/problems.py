"""What can go wrong so that the client can act: RFC 9457 problems, without HTTP.

A problem belongs to a family; `api/problems.py` gives each family its status. `detail` says what is
wrong and then what to do. Input is never echoed. Problems that belong to one room live there, as
subclasses of these families.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import ClassVar

from pydantic import JsonValue

from service.domain.base import Outgoing


class FieldError(Outgoing):
    """One wrong field: where (RFC 6901 JSON pointer), what to do, and for uploads the line."""

    pointer: str
    detail: str
    line: int | None = None


class Problem(Exception):  # noqa: N818  the word of RFC 9457
    """The root of all problems. `code` is stable, snake_case and unique."""

    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self, detail: str, *, errors: Sequence[FieldError] = (), **extensions: JsonValue
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.extensions = extensions


class Malformed(Problem):
    """The request cannot be read at all, or asks with words the service does not know (400)."""

    code = "malformed_request"
    title = "The request cannot be read"


class Invalid(Problem):
    """The request can be read, but some fields are wrong (422)."""

    code = "invalid_request"
    title = "The request has wrong fields"


class NotFound(Problem):
    """What the path or a field names does not exist (404)."""

    code = "not_found"
    title = "Not found"


class Conflict(Problem):
    """The state of the thing does not allow this now (409)."""

    code = "conflict"
    title = "Not possible in this state"
    should_retry: ClassVar[bool] = False


class TooLarge(Problem):
    """More bytes than the service takes (413)."""

    code = "too_large"
    title = "The request is too large"


class Unavailable(Problem):
    """The service cannot answer at the moment; the same request may succeed later (503)."""

    code = "unavailable"
    title = "Try again later"
    retry_after_seconds: ClassVar[int] = 1


class Busy(Unavailable):
    """As many requests wait as can be answered in a sensible time."""

    code = "service_busy"
    title = "The service is busy"

    def __init__(
        self, detail: str = "Too many requests are waiting already. Send this one again later."
    ) -> None:
        super().__init__(detail)


def invalid_field(pointer: str, detail: str) -> Invalid:
    """Make the problem of one wrong field."""
    return Invalid(
        f"One field is wrong: {pointer} {detail}.",
        errors=[FieldError(pointer=pointer, detail=detail)],
    )


def pointer_to(parts: Iterable[str | int]) -> str:
    """Write a location as a JSON pointer (RFC 6901 section 3: `~` is ~0, `/` is ~1)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def known_names(known: Iterable[str], *, near: str) -> str:
    """Say which names are known, the one nearest to `near` first asked for."""
    names = sorted(known)
    nearest = get_close_matches(near, names, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{hint}known: {', '.join(names)}"
