"""Every way in which a call can fail is an error of one tree, in plain words."""

import inspect
from typing import Any

import httpx
import pytest

import service.client
from service.client import (
    Client,
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
    errors,
)


def a_client(response: httpx.Response) -> Client:
    return Client("http://yard", transport=httpx.MockTransport(lambda _: response))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, MalformedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (405, RefusedError),
        (409, ConflictError),
        (413, TooLargeError),
        (415, UnsupportedTypeError),
        (422, InvalidError),
        (500, ServerError),
        (503, UnavailableError),
    ],
)
def test_every_status_has_its_branch(status: int, kind: type[TrainyardError]) -> None:
    with pytest.raises(TrainyardError) as raised:
        a_client(httpx.Response(status, json={"detail": "no"})).get_job("job_1")

    assert type(raised.value) is kind


def test_an_error_has_all_that_the_problem_said() -> None:
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": "Wrong",
        "status": 422,
        "detail": "Two fields are wrong.",
        "code": "invalid_request",
        "request_id": "req_1",
        "errors": [
            {"pointer": "/training/epochs", "detail": "must be at least 1"},
            {"pointer": "/file", "detail": "is no text", "line": 7},
        ],
        "current_status": "running",
    }
    response = httpx.Response(422, json=problem, headers={"Retry-After": "2"})

    with pytest.raises(InvalidError) as raised:
        a_client(response).get_job("job_1")

    error = raised.value
    assert (error.status, error.code, error.request_id) == (422, "invalid_request", "req_1")
    assert [one.pointer for one in error.errors] == ["/training/epochs", "/file"]
    assert error.extensions == {"current_status": "running"}
    assert error.retry_after_seconds == 2
    assert str(error).splitlines() == [
        "Two fields are wrong.",
        "  /training/epochs: must be at least 1",
        "  /file: is no text",
    ]


def test_an_error_page_of_a_proxy_is_unreadable() -> None:
    with pytest.raises(UnreadableError):
        a_client(httpx.Response(502, text="<h1>Bad Gateway</h1>")).get_job("job_1")


TRANSPORT_ERRORS = [
    kind
    for _, kind in inspect.getmembers(httpx, inspect.isclass)
    if issubclass(kind, httpx.TransportError)
]


@pytest.mark.parametrize("kind", TRANSPORT_ERRORS)
def test_every_error_of_the_library_below_becomes_one_of_ours(
    kind: type[httpx.TransportError],
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise kind("deep inside", request=request)

    client = Client("http://yard", transport=httpx.MockTransport(fail))

    with pytest.raises(UnreachableError, match="http://yard") as raised:
        client.get_job("job_1")
    assert "deep inside" not in str(raised.value)


def test_a_service_that_is_not_there_is_said_in_plain_words() -> None:
    with pytest.raises(UnreachableError, match="trainyard up"):
        Client("http://127.0.0.1:1").system()


@pytest.mark.parametrize("url", ["nonsense", "ftp://yard", "http://[", "http://yard:99999999"])
def test_an_address_that_is_none_is_an_error_of_ours(url: str) -> None:
    with pytest.raises(TrainyardError):
        Client(url).system()


def test_every_error_can_be_imported_from_the_package() -> None:
    kinds = {
        name
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, TrainyardError)
    }
    assert kinds <= set(service.client.__all__)
    assert all(hasattr(service.client, name) for name in service.client.__all__)
