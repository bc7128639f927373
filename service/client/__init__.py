"""The Python client: `Client(url)` speaks HTTP and gives back the objects of `service.domain`."""

from service.client.calls import Array, PredictInput
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
    TrainyardError,
    UnavailableError,
    UnreachableError,
    UnreadableError,
    UnsupportedTypeError,
)

__all__ = [
    "Array",
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
    "TrainyardError",
    "UnavailableError",
    "UnreachableError",
    "UnreadableError",
    "UnsupportedTypeError",
]
