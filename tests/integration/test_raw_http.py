"""What no HTTP client sends: each row is answered or refused, and the service goes on."""
# ruff: noqa: E501  a table: one row a line

import re
from typing import NamedTuple

import httpx
import pytest

from tests.integration.sockets import send_bytes, send_until_closed

H = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
CHUNKED = b"POST /v1/jobs HTTP/1.1\r\n" + H + JSON + b"Transfer-Encoding: chunked\r\n\r\n"


class Row(NamedTuple):
    """Some bytes, and the status and code of the first answer."""

    name: str
    status: int
    code: str | None
    content: bytes


def livez(headers: bytes = b"", host: bytes = H) -> bytes:
    return b"GET /livez HTTP/1.1\r\n" + host + headers + b"\r\n"


def posted(length: bytes, body: bytes = b"", headers: bytes = b"") -> bytes:
    return b"POST /v1/jobs HTTP/1.1\r\n" + H + JSON + headers + length + b"\r\n" + body


# fmt: off
ROWS = [
    Row("no HTTP at all", 400, "malformed_http", b"\0" * 100),
    Row("TLS", 400, "malformed_http", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    Row("the preface of HTTP/2", 400, "malformed_http", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Row("HTTP/9.9", 400, "malformed_http", b"GET /livez HTTP/9.9\r\n" + H + b"\r\n"),
    Row("HTTP/1.0 with a host", 200, None, b"GET /livez HTTP/1.0\r\n" + H + b"\r\n"),
    Row("HTTP/1.0 without a host", 403, "foreign_host", b"GET /livez HTTP/1.0\r\n\r\n"),
    Row("HTTP/0.9", 403, "foreign_host", b"GET /livez\r\n\r\n"),
    Row("no host", 403, "foreign_host", livez(host=b"")),
    Row("two hosts", 400, "malformed_http", livez(host=H + b"host: evil.example\r\n")),
    Row("the same host twice", 400, "malformed_http", livez(host=H + H)),
    Row("a foreign host", 403, "foreign_host", livez(host=b"Host: evil.example\r\n")),
    Row("a method in small letters", 400, "malformed_http", b"get /livez HTTP/1.1\r\n" + H + b"\r\n"),
    Row("a method that nobody knows", 400, "malformed_http", b"BREW /livez HTTP/1.1\r\n" + H + b"\r\n"),
    Row("a tunnel", 400, "malformed_http", b"CONNECT localhost:1 HTTP/1.1\r\n" + H + b"\r\n"),
    Row("an absolute target", 200, None, b"GET http://localhost/livez HTTP/1.1\r\n" + H + b"\r\n"),
    Row("a target without a slash", 400, "malformed_http", b"GET livez HTTP/1.1\r\n" + H + b"\r\n"),
    Row("a target that is a star", 404, "path_not_found", b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n"),
    Row("a target of bytes", 400, "malformed_http", b"GET /\xff HTTP/1.1\r\n" + H + b"\r\n"),
    Row("a percent that encodes nothing", 404, "job_not_found", b"GET /v1/jobs/%zz HTTP/1.1\r\n" + H + b"\r\n"),
    Row("dots in the target", 404, "path_not_found", b"GET /v1/../livez HTTP/1.1\r\n" + H + b"\r\n"),
    Row("100 kB of query", 431, "head_too_large", b"GET /v1/jobs?" + b"x" * 100_000 + b" HTTP/1.1\r\n" + H + b"\r\n"),
    Row("40 kB of query", 422, "invalid_request", b"GET /v1/jobs?status=" + b"x" * 40_000 + b" HTTP/1.1\r\n" + H + b"\r\n"),
    Row("100 kB in a header", 431, "head_too_large", livez(b"X: " + b"x" * 100_000 + b"\r\n")),
    Row("9,000 headers", 431, "head_too_large", livez(b"".join(b"X%d: y\r\n" % number for number in range(9000)))),
    Row("a space in the name of a header", 400, "malformed_http", livez(b"X Y: a\r\n")),
    Row("a header without a name", 400, "malformed_http", livez(b": a\r\n")),
    Row("a header that is folded", 400, "malformed_http", livez(b"X: a\r\n b\r\n")),
    Row("NUL in a header", 400, "malformed_http", livez(b"X: a\0b\r\n")),
    Row("a bare line feed in a header", 400, "malformed_http", livez(b"X-Request-Id: a\nSet-Cookie: x=1\r\n")),
    Row("a bare carriage return in a header", 400, "malformed_http", livez(b"X-Request-Id: a\rSet-Cookie: x=1\r\n")),
    Row("a request id of bytes", 200, None, livez(b"X-Request-Id: \xff\xfe\r\n")),
    Row("two lengths", 400, "malformed_http", posted(b"Content-Length: 2\r\nContent-Length: 3\r\n", b"{}")),
    Row("a length and chunks", 400, "malformed_http", posted(b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n")),
    Row("a negative length", 400, "malformed_http", posted(b"Content-Length: -5\r\n")),
    Row("a length that is a word", 400, "malformed_http", posted(b"Content-Length: two\r\n")),
    Row("a length beyond 64 bits", 400, "malformed_http", posted(b"Content-Length: 99999999999999999999999\r\n")),
    Row("a length beyond the limit", 413, "body_too_large", posted(b"Content-Length: 999999999999\r\n")),
    Row("a small length and megabytes behind it", 400, "malformed_json", posted(b"Content-Length: 1\r\nConnection: close\r\n", b"{" + b"x" * (2 << 20))),
    Row("chunks of no size", 400, "malformed_http", CHUNKED + b"ZZ\r\nabc\r\n0\r\n\r\n"),
    Row("a chunk shorter than its size", 400, "malformed_http", CHUNKED + b"5\r\nabc\r\n0\r\n\r\n"),
    Row("a chunk of more than 64 bits", 400, "malformed_http", CHUNKED + b"FFFFFFFFFFFFFFFFF\r\nabc"),
    Row("chunks in gzip", 400, "malformed_http", posted(b"Transfer-Encoding: gzip\r\n")),
    Row("no length", 400, "malformed_json", posted(b"")),
    Row("a body where none belongs", 200, None, livez(b"Content-Length: 2\r\n") + b"{}"),
    Row("a wish to be told to go on", 422, "invalid_request", posted(b"Content-Length: 2\r\n", b"{}", b"Expect: 100-continue\r\n")),
    Row("a wish for a WebSocket", 200, None, livez(b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n")),
    Row("a wish for HTTP/2", 200, None, livez(b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA\r\n")),
]
# fmt: on


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_bytes_that_no_client_sends_are_answered(
    service: str, http: httpx.Client, row: Row
) -> None:
    answer = send_bytes(service, row.content)
    assert answer.status_code == row.status, answer.text[:300]
    if row.code is not None:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == row.code
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-request-id"].isascii()
    assert http.get("/livez").status_code == 200


def test_a_request_id_that_is_sane_is_taken_and_the_first_of_two(service: str) -> None:
    ids = b"X-Request-Id: one\r\nX-Request-Id: two\r\n"
    assert send_bytes(service, livez(ids)).headers["x-request-id"] == "one"


def test_what_follows_a_body_is_the_next_request_and_no_part_of_it(service: str) -> None:
    first = posted(b"Content-Length: 2\r\n", b"{}")
    answers = send_until_closed(service, first + livez(b"Connection: close\r\n"))
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"422", b"200"]
