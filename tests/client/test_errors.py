"""Every way in which a call can fail is an error of one tree, in plain words."""

import inspect
from typing import Any

import httpx
import pytest

import service.client
from service.client import (
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
    errors,
)
from tests.client.conftest import Clients
from tests.client.outside import Outside


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, MalformedError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (405, RefusedError),
        (408, TooSlowError),
        (409, ConflictError),
        (413, TooLargeError),
        (415, UnsupportedTypeError),
        (422, InvalidError),
        (429, TooManyRequestsError),
        (500, ServerError),
        (503, UnavailableError),
        (507, ServerError),
    ],
)
def test_every_status_has_its_branch(
    clients: Clients, status: int, kind: type[TrainyardError]
) -> None:
    with pytest.raises(TrainyardError) as raised:
        clients(Outside({"detail": "no"}, status=status)).get_job("job_1")

    assert type(raised.value) is kind


def test_an_error_has_all_that_the_problem_said(clients: Clients) -> None:
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
        clients(Outside(response)).get_job("job_1")

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


def test_an_error_page_of_a_proxy_is_unreadable(clients: Clients) -> None:
    with pytest.raises(UnreadableError):
        clients(Outside(httpx.Response(502, text="<h1>Bad Gateway</h1>"))).get_job("job_1")


def test_compression_that_cannot_be_read_is_unreadable(clients: Clients) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        headers = {"Content-Encoding": "gzip"}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(b"no gzip"))

    with pytest.raises(UnreadableError, match="compressed"):
        clients(answer).get_job("job_1")


REQUEST_ERRORS = [
    kind
    for _, kind in inspect.getmembers(httpx, inspect.isclass)
    if issubclass(kind, httpx.RequestError)
]


@pytest.mark.parametrize("kind", REQUEST_ERRORS)
def test_every_error_of_the_library_below_becomes_one_of_ours(
    clients: Clients, kind: type[httpx.RequestError]
) -> None:
    client = clients(Outside(kind("deep inside")))

    with pytest.raises((UnreachableError, UnreadableError), match="http://yard") as raised:
        client.get_job("job_1")
    assert "deep inside" not in str(raised.value)


def test_a_service_that_is_not_there_is_said_in_plain_words(clients: Clients) -> None:
    with pytest.raises(UnreachableError, match="trainyard up"):
        clients(url="http://127.0.0.1:1").system()


NO_ADDRESSES = [
    "",
    "nonsense",
    "ftp://yard",
    "http://",
    "http://[",
    "http://a..b",
    "http://" + 70 * "a",
    "http://127.0.0.1:99999999",
    "http://\ud800",
]


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_an_address_that_is_none_is_an_error_of_ours(clients: Clients, url: str) -> None:
    with pytest.raises(UnreachableError):
        clients(url=url).system()


@pytest.mark.parametrize("url", ["http://ann:secret@127.0.0.1:1", "ftp://ann:secret@yard"])
def test_a_password_in_an_address_is_not_repeated(clients: Clients, url: str) -> None:
    with pytest.raises(UnreachableError) as raised:
        clients(url=url).system()

    assert "secret" not in str(raised.value)


def test_every_error_can_be_imported_from_the_package() -> None:
    kinds = {
        name
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, TrainyardError)
    }
    assert kinds <= set(service.client.__all__)
    assert all(hasattr(service.client, name) for name in service.client.__all__)
