"""A call of the HTTP contract as data: what is asked, how the answer is read. No I/O."""

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar, get_args
from urllib.parse import quote
from uuid import uuid4

import httpx
from pydantic import BaseModel, JsonValue

from service.client import answers
from service.client.errors import InvalidError

ResultT = TypeVar("ResultT")
MethodT = TypeVar("MethodT", bound=Callable[..., Any])

_KEY = re.compile(r"[!#-~][!-~]{0,254}")

Query = Mapping[str, str | int | list[str] | None]
Content = bytes | Path
"""A file: its bytes, or where it lies; the sender opens it and streams it."""
File = Content | BinaryIO
"""What can be a part of a form; an open file is read from its beginning, also a second time."""
Parts = Mapping[str, File | str]
"""The parts of a form; a string is JSON."""
Outcome = httpx.Response | httpx.RequestError
"""What came of sending a request once."""


@dataclass(frozen=True, kw_only=True)
class Call(Generic[ResultT]):
    """One request, and how its answer becomes a result."""

    method: str
    path: str
    read: Callable[[httpx.Response], ResultT]
    repeatable: bool
    """Whether done twice is as good as done once, so that it may be sent again when nobody knows
    whether it was done. Calls that create are so by their key: the service knows the second one."""
    query: Query | None = None
    content: bytes | None = None
    parts: Parts | None = None
    headers: Mapping[str, str] | None = None
    wait_seconds: float = 0.0
    """How much longer than usual the answer may take, because the request asks for it."""

    def parameters(self) -> dict[str, str | list[str]]:
        """Return the query without what was not given."""
        given = {name: value for name, value in (self.query or {}).items() if value is not None}
        return {
            name: [*value] if isinstance(value, list) else str(value)
            for name, value in given.items()
        }

    def conclude(self, outcome: Outcome, *, url: str) -> ResultT:
        """Return what the last answer means, or raise the error of the tree that it stands for."""
        if isinstance(outcome, httpx.RequestError):
            raise answers.unanswered(outcome, url) from outcome
        answers.raise_for_problem(outcome)
        return self.read(outcome)


def path_of(*parts: str) -> str:
    """Join parts below /v1; whatever a name holds stays one part of the path."""
    for part in parts:
        if part in {"", ".", ".."}:  # the path would lead elsewhere (RFC 3986, section 5.2.4)
            message = f"A name or id in the call is {part!r}, which no request can name."
            raise InvalidError(message)
    try:
        return "/v1/" + "/".join(quote(part, safe="@") for part in parts)
    except UnicodeEncodeError as error:  # half of a surrogate pair
        message = "A name or id in the call is no text: it has half of a character in it."
        raise InvalidError(message) from error


def key_of_a_call(given: str | None) -> str:
    """Return the caller's own Idempotency-Key, or a new one. Raises InvalidError."""
    if given is None:
        return str(uuid4())
    if not _KEY.fullmatch(given):
        message = "An idempotency key has 1 to 255 visible ASCII characters, the first no quote."
        raise InvalidError(message)
    return given


def json_bytes(value: JsonValue) -> bytes:
    """Write a body. Raises InvalidError for NaN, half characters, and objects of other kinds."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        message = f"The request cannot be written as JSON: {error}."
        raise InvalidError(message) from error


def what_was_said(request: BaseModel | Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return only what was said: what was not is the service's to fill in."""
    if isinstance(request, BaseModel):
        return request.model_dump(mode="json", exclude_unset=True)
    return dict(request)


def presented(method: MethodT, make: Callable[..., Call[Any]]) -> MethodT:
    """Give a method the name, the docstring and the signature of the function that makes its call.

    The types are known to type checkers anyway; this is for `help()` and editors.
    """
    signature = inspect.signature(make)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    vars(method).update(
        __signature__=signature.replace(
            parameters=[itself, *signature.parameters.values()],
            return_annotation=get_args(signature.return_annotation)[0],
        )
    )
    method.__name__ = make.__name__
    method.__doc__ = make.__doc__
    return method
