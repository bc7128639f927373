"""What can go wrong for a client, as a tree: catch as much of it as you can act on.

TrainyardError
├── UnreachableError          no answer came: not running, wrong address, timed out
├── UnreadableError           an answer came, but not one of this service
├── RefusedError              the service says what is wrong with the request (4xx)
│   ├── MalformedError        400
│   ├── UnauthorizedError     401
│   ├── ForbiddenError        403
│   ├── NotFoundError         404
│   ├── TooSlowError          408
│   ├── ConflictError         409
│   ├── TooLargeError         413
│   ├── UnsupportedTypeError  415
│   ├── InvalidError          422
│   └── TooManyRequestsError  429: the same request may succeed later
└── ServerError               the service could not do its part (5xx)
    └── UnavailableError      503: the same request may succeed later
"""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from service.domain.problems import FieldError


class TrainyardError(Exception):
    """The root of all errors of the client. `detail` says what is wrong, in plain words.

    `status` and `code` are None where no answer came. `errors` names every wrong field;
    `extensions` has what else the problem said (`current_status`, `legal_actions`, …).
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        request_id: str | None = None,
        extensions: Mapping[str, JsonValue] | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.code = code
        self.errors = tuple(errors)
        self.request_id = request_id
        self.extensions = dict(extensions or {})
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        """Say everything that is known, one wrong field a line."""
        fields = [f"  {error.pointer or '/'}: {error.detail}" for error in self.errors]
        return "\n".join([self.detail, *fields])


class UnreachableError(TrainyardError):
    """No answer came: the service does not run there, or it takes too long."""


class UnreadableError(TrainyardError):
    """What answered is not this service, or one of another version."""


class RefusedError(TrainyardError):
    """The service says what is wrong with the request; sent again, it is mostly refused again."""


class MalformedError(RefusedError):
    """The request cannot be read (400)."""


class UnauthorizedError(RefusedError):
    """The service wants an API key, or does not know this one (401)."""


class ForbiddenError(RefusedError):
    """The service knows who calls, and does not allow this (403)."""


class NotFoundError(RefusedError):
    """What was asked for does not exist (404)."""


class TooSlowError(RefusedError):
    """The request took too long to arrive at the service (408)."""


class ConflictError(RefusedError):
    """The state of the thing does not allow this now (409).

    One that passes by itself has `retry_after_seconds` (`model_not_ready`: the job has made no
    checkpoint yet). Clients do not wait for it by themselves: it may take as long as the training.
    Only for a request with the same key that still runs they wait.
    """


class TooLargeError(RefusedError):
    """More bytes than the service takes (413)."""


class UnsupportedTypeError(RefusedError):
    """The service does not take this content type here (415)."""


class InvalidError(RefusedError):
    """Some fields are wrong (422); `errors` names them all."""


class TooManyRequestsError(RefusedError):
    """The caller asks more often than the service takes (429)."""


class ServerError(TrainyardError):
    """The service could not do its part (5xx); `request_id` finds the entry in its log."""


class UnavailableError(ServerError):
    """The service cannot answer at the moment (503)."""


BY_STATUS: Mapping[int, type[TrainyardError]] = {
    400: MalformedError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    408: TooSlowError,
    409: ConflictError,
    413: TooLargeError,
    415: UnsupportedTypeError,
    422: InvalidError,
    429: TooManyRequestsError,
    503: UnavailableError,
}


def error_class(status: int) -> type[TrainyardError]:
    """Choose the branch of the tree for a status of 400 or more."""
    return BY_STATUS.get(status, ServerError if status >= 500 else RefusedError)
