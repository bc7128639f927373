"""The Python client: `Client(url)` speaks HTTP and gives back the objects of `service.domain`.

`AsyncClient(url)` has the same methods, to be awaited.
"""

from service.client.asynchronous import AsyncClient
from service.client.client import Client
from service.client.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    MalformedError,
    NotFoundError,
    RefusedError,
    ServerError,
    TooLargeError,
    TooManyRequestsError,
    TooSlowError,
    TrainyardError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
    UnreadableError,
    UnsupportedTypeError,
)
from service.client.inputs import Array, PredictInput

__all__ = [
    "Array",
    "AsyncClient",
    "Client",
    "ConflictError",
    "ForbiddenError",
    "InvalidError",
    "MalformedError",
    "NotFoundError",
    "PredictInput",
    "RefusedError",
    "ServerError",
    "TooLargeError",
    "TooManyRequestsError",
    "TooSlowError",
    "TrainyardError",
    "UnauthorizedError",
    "UnavailableError",
    "UnreachableError",
    "UnreadableError",
    "UnsupportedTypeError",
]
