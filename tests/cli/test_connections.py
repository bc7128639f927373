"""Connections: who sends nothing, too slowly, too much or no HTTP is let go; nobody else is."""

import asyncio
import json
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

import pytest
from fastapi import FastAPI, Request

from service.api.limits import still_wanted
from service.cli.connections import HEAD_BYTES, Connection
from service.cli.server import Server, listen

HEAD_SECONDS = 0.3
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A server that waits for a head no longer than a test does."""
    monkeypatch.setattr(Connection, "head_seconds", HEAD_SECONDS)
    app = FastAPI()
    hold = threading.Event()

    def slow() -> str:
        hold.wait(2 * HEAD_SECONDS)
        return "late"

    app.get("/")(lambda: "here")
    app.get("/slow")(slow)
    with served(app) as address:
        yield address


@contextmanager
def served(app: FastAPI) -> Generator[tuple[str, int]]:
    """Serve an application in a thread, on a free port."""
    listener = listen("127.0.0.1", 0)
    server = Server(app, listener)
    thread = threading.Thread(target=server.serve_until_told)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.01)
    yield listener.getsockname()
    server.should_exit = True
    thread.join()


def test_a_request_can_tell_that_its_client_has_gone() -> None:
    app, begun, gone = FastAPI(), threading.Event(), threading.Event()

    async def wait(request: Request) -> None:
        wanted = still_wanted(request)
        assert wanted()
        begun.set()
        while wanted():
            await asyncio.sleep(0)
        gone.set()

    app.get("/")(wait)
    with served(app) as address:
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(GET)
            assert begun.wait(30)
        assert gone.wait(30)


def talk(address: tuple[str, int], *pieces: bytes) -> bytes:
    """Send the pieces; return everything that comes until the server closes the connection."""
    with socket.create_connection(address, timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        with suppress(ConnectionResetError):  # it was closed while more was on its way
            while piece := connection.recv(65536):
                received += piece
        return received


def problem_of(answer: bytes) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"x-request-id: " in head
    return json.loads(body)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-"])
def test_a_head_that_does_not_come_ends_the_connection(
    address: tuple[str, int], sent: bytes
) -> None:
    assert talk(address, sent) == b""


def test_a_second_head_must_come_to_its_end_too(address: tuple[str, int]) -> None:
    assert talk(address, GET + b"GET / HTTP/1.1\r\nHo").count(b'"here"') == 1


@pytest.mark.parametrize(
    ("request_", "then"),
    [
        (GET, b"\r\n"),
        (GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 1000\r\n\r\n"), b"a"),
    ],
    ids=["a line too many", "a body that is never sent"],
)
def test_bytes_that_begin_no_request_do_not_hold_a_connection(
    address: tuple[str, int], request_: bytes, then: bytes
) -> None:
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(request_)
        assert b'"here"' in connection.recv(65536)
        connection.sendall(then)
        assert connection.recv(65536) == b""


def test_a_head_behind_a_slow_answer_waits_for_it(address: tuple[str, int]) -> None:
    slow = GET.replace(b"GET / ", b"GET /slow ")
    assert b'"late"' in talk(address, slow + b"GET / HT")


def test_an_answer_may_take_longer_than_a_head(address: tuple[str, int]) -> None:
    request = GET.replace(b"GET / ", b"GET /slow ").replace(
        b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"
    )
    assert b'"late"' in talk(address, request)


def test_an_idle_connection_is_kept(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(GET)
        assert b'"here"' in connection.recv(65536)
        connection.settimeout(2 * HEAD_SECONDS)
        with pytest.raises(TimeoutError):
            connection.recv(1)


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET /\xff HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_problem(address: tuple[str, int], sent: bytes) -> None:
    answer = talk(address, sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert problem_of(answer)["code"] == "malformed_http"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * HEAD_BYTES + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Long: " + b"a" * HEAD_BYTES + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (HEAD_BYTES // 6 + 1) + b"\r\n",
    ],
    ids=["address", "header", "headers"],
)
def test_a_head_has_a_bound(address: tuple[str, int], sent: bytes) -> None:
    answer = talk(address, sent)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert problem_of(answer)["code"] == "head_too_large"


@pytest.mark.parametrize("beginning", [b"GET / HTTP/1.1\r\nX-Endless: ", b"GET /"])
def test_a_head_without_end_is_not_read_on(
    address: tuple[str, int], beginning: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "head_seconds", 60)  # not time ends it, but size
    answer = talk(address, beginning + b"a" * (2 * HEAD_BYTES))
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
