"""Problems as HTTP answers (RFC 9457): the one table from families to statuses, its renderer."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NoReturn, cast
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field, JsonValue
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from service.api.methods import allowed_methods
from service.api.request_ids import HEADER, request_id_of
from service.domain import problems, validation
from service.domain.base import Outgoing
from service.domain.problems import FieldError, Problem, pointer_to

MEDIA_TYPE = "application/problem+json"
TYPES = "/problems"
"""Below it the service explains every code: the `type` of a problem (RFC 9457 section 3.1.1)."""

log = logging.getLogger("trainyard.api")
_IN_PATHS = "/:@!$&'()*+,;=~"  # what stands in a path unescaped (RFC 3986 section 3.3)


class Unauthorized(Problem):
    """The service has keys, and the request brought none that it knows (401)."""

    code = "unauthorized"
    title = "A key is needed"

    def __init__(self) -> None:
        super().__init__(
            "Send a key of this service as `Authorization: Bearer …` or as `X-Api-Key`. "
            "Its operator makes one with `trainyard keys new`."
        )


class TooSlow(Problem):
    """The request did not arrive in time (408)."""

    code = "request_timeout"
    title = "The request took too long to arrive"

    def __init__(self) -> None:
        super().__init__("The rest of the body did not come in time. Send the request again.")


class Forbidden(Problem):
    """Who asks may not (403)."""

    code = "forbidden"
    title = "Not allowed"


class UnsupportedMediaType(Problem):
    """The body has a type that the path does not take (415)."""

    code = "unsupported_media_type"
    title = "The content type is not supported"


class BodyTooLarge(problems.TooLarge):
    """More bytes than the path takes, whether Content-Length told it or counting did."""

    code = "body_too_large"
    title = "The body is too large"

    def __init__(self) -> None:
        super().__init__(
            "The body is larger than this path takes; GET /v1/system tells the limits. Send less."
        )


STATUSES: Mapping[type[Problem], HTTPStatus] = {
    problems.Malformed: HTTPStatus.BAD_REQUEST,
    problems.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    problems.NotFound: HTTPStatus.NOT_FOUND,
    problems.Conflict: HTTPStatus.CONFLICT,
    problems.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    problems.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    Unauthorized: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    TooSlow: HTTPStatus.REQUEST_TIMEOUT,
    UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}

_HTTP_DETAILS: Mapping[int, tuple[str, str]] = {
    404: ("path_not_found", "Nothing is at this path. /docs lists every path."),
    405: ("method_not_allowed", "This path does not take this method; Allow says which it takes."),
}


class ProblemDetails(Outgoing):
    """What every error looks like: `application/problem+json`, RFC 9457."""

    type: str = Field(
        description="Where the service explains the problem, relative to its own address.",
        examples=[f"{TYPES}/invalid_request"],
    )
    title: str
    status: int
    detail: str = Field(description="What is wrong, then what to do.")
    instance: str = Field(description="The path that was asked.")
    code: str = Field(description="Stable; for programs.", examples=["invalid_request"])
    request_id: str = Field(description="Also in the header X-Request-Id and in the log.")
    errors: list[FieldError] = Field(default=[], description="Every wrong field.")


def status_of(problem: type[Problem]) -> HTTPStatus:
    """Return the status of the problem's family."""
    return next(STATUSES[family] for family in problem.__mro__ if family in STATUSES)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document which errors a path may answer."""
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_wrong_parameters)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(Exception, _on_bug)


def render(request: Request, problem: Problem) -> Response:
    """Write a problem of any family."""
    headers: dict[str, str] = {}
    if isinstance(problem, problems.Conflict):
        headers["x-should-retry"] = "true" if problem.should_retry else "false"
    if isinstance(problem, Unauthorized):
        headers["WWW-Authenticate"] = 'Bearer realm="trainyard"'  # RFC 6750 section 3
    if isinstance(problem, TooSlow):  # what still comes of the body would be read as a request
        headers["Connection"] = "close"
    retry_after = getattr(problem, "retry_after_seconds", None)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return _answer(
        request,
        status_of(type(problem)),
        code=problem.code,
        title=problem.title,
        detail=problem.detail,
        errors=problem.errors,
        extensions=problem.extensions,
        headers=headers,
    )


def _answer(
    request: Request,
    status: HTTPStatus,
    *,
    code: str,
    title: str,
    detail: str,
    errors: tuple[FieldError, ...] = (),
    extensions: Mapping[str, JsonValue] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    request_id = request_id_of(request.scope)
    details = ProblemDetails(
        type=f"{TYPES}/{code}",
        title=title,
        status=status,
        detail=detail,
        instance=quote(request.scope["path"], safe=_IN_PATHS),
        code=code,
        request_id=request_id,
        errors=list(errors),
    )
    content = _WithExtensions.model_validate({**(extensions or {}), **details.model_dump()})
    return Response(
        content.model_dump_json(exclude_none=True),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={**(headers or {}), HEADER: request_id},
    )


class _WithExtensions(ProblemDetails):
    model_config = {"extra": "allow"}


def _on_problem(request: Request, error: Exception) -> Response:
    return render(request, cast("Problem", error))


def _on_wrong_parameters(request: Request, error: Exception) -> Response:
    """Answer for path, query and header; bodies are read by `bodies`."""
    wrong = cast("Sequence[ErrorDetails]", cast("RequestValidationError", error).errors())
    found = {pointer_to(each["loc"]): validation.describe(each) for each in wrong}
    return render(request, validation.invalid_fields(found))


def _on_http_exception(request: Request, error: Exception) -> Response:
    raised = cast("HTTPException", error)
    status = HTTPStatus(raised.status_code)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return render(request, BodyTooLarge())
    code, detail = _HTTP_DETAILS.get(status, (status.name.lower(), str(raised.detail)))
    headers = dict(raised.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = allowed_methods(request, headers.get("Allow", ""))
    return _answer(request, status, code=code, title=status.phrase, detail=detail, headers=headers)


def _on_disconnect(_request: Request, _error: Exception) -> Response:
    """Answer nobody: the client left in the middle of its body, which is no mistake of ours."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


def _on_bug(request: Request, error: Exception) -> Response:
    """Answer without a stack trace; the server logs the error itself."""
    request_id = request_id_of(request.scope)
    log.error("request %s failed: %s", request_id, type(error).__name__)
    return _answer(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        code="internal_error",
        title="A bug in the service",
        detail="The service made a mistake. Report it with the request_id; the log has the rest.",
    )


def refuse(pointer: str, detail: str) -> NoReturn:
    """Raise the problem of one wrong field."""
    raise problems.invalid_field(pointer, detail)
