"""Reading answers: the object that was asked for, or an error of the tree. No I/O."""

from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from service.client.errors import TrainyardError, UnreachableError, UnreadableError, error_class
from service.domain.problems import FieldError

ModelT = TypeVar("ModelT", bound=BaseModel)

JsonObject = dict[str, JsonValue]
_JSON_OBJECT: TypeAdapter[JsonObject] = TypeAdapter(JsonObject)


class _ProblemBody(BaseModel):
    """`application/problem+json` (RFC 9457), with our members."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str = ""
    status: int | None = None
    instance: str | None = None
    detail: str
    code: str | None = None
    request_id: str | None = None
    errors: list[FieldError] = []


def read_model(model: type[ModelT], response: httpx.Response) -> ModelT:
    """Parse the body as `model`. Raises UnreadableError when it is something else."""
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        raise _unreadable(response) from error


def read_object(response: httpx.Response) -> JsonObject:
    """Parse the body as a JSON object."""
    try:
        return _JSON_OBJECT.validate_json(response.content)
    except ValidationError as error:
        raise _unreadable(response) from error


def read_text(response: httpx.Response) -> str:
    """Return the body as text."""
    return response.text


def read_bytes(response: httpx.Response) -> bytes:
    """Return the body as it is."""
    return response.content


def read_nothing(response: httpx.Response) -> None:
    """Take an answer without a body."""
    if response.content:
        raise _unreadable(response)


def raise_for_problem(response: httpx.Response) -> None:
    """Raise the error that a status outside 200…299 stands for."""
    if response.is_success:
        return
    try:
        body = _ProblemBody.model_validate_json(response.content)
    except ValidationError as error:
        raise _unreadable(response) from error
    raise error_class(response.status_code)(
        body.detail,
        status=response.status_code,
        code=body.code,
        errors=body.errors,
        request_id=body.request_id or response.headers.get("X-Request-Id"),
        extensions=body.model_extra,
        retry_after_seconds=retry_after_seconds(response),
    )


def problem_code(response: httpx.Response) -> str | None:
    """Return the `code` of a problem; None for an answer of somebody else."""
    try:
        return _ProblemBody.model_validate_json(response.content).code
    except ValidationError:
        return None


def retry_after_seconds(response: httpx.Response) -> float | None:
    """Return how long to wait before asking again (RFC 9110 section 10.2.3).

    A moment is taken by the clock of who answered: ours may be wrong.
    """
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
        now = parsedate_to_datetime(response.headers.get("Date", ""))
        return max(0.0, (then - now).total_seconds())
    except (TypeError, ValueError):  # no date, or one with a time zone and one without
        return None


def unanswered(error: httpx.RequestError, url: str) -> TrainyardError:
    """Say in plain words why no answer came, or none that can be read."""
    if isinstance(error, httpx.DecodingError):
        return UnreadableError(f"The answer of {url} is compressed in a way that cannot be read.")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return UnreachableError(
            f"No service answers at {url}. Start one with `trainyard up`, or say where it is "
            "with TRAINYARD_URL or --url."
        )
    if isinstance(error, httpx.TimeoutException):
        return UnreachableError(
            f"The service at {url} took too long to answer. Try again, or allow it more time."
        )
    if isinstance(error, httpx.UnsupportedProtocol):
        return UnreachableError(f"{url} is no address of a service; begin it with http://.")
    return UnreachableError(f"The connection to {url} broke before the answer was complete.")


def _unreadable(response: httpx.Response) -> UnreadableError:
    kind = response.headers.get("Content-Type", "no content type")
    return UnreadableError(
        f"What answered {response.status_code} ({kind}) is no Trainyard service of this version. "
        "Check the address.",
        status=response.status_code,
        request_id=response.headers.get("X-Request-Id"),
    )
