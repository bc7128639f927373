"""One connection: who sends nothing, too slowly or too much of a head is let go.

uvicorn waits for ever for a first request and for the end of a head, and keeps heads of any size.
What never became a request is answered as a problem, too.
"""

import asyncio
import json
import uuid
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.api.limits import IS_CLOSING

HEAD_SECONDS = 15.0
"""How long a head may take to arrive, from its first byte or from the connection's start."""

HEAD_BYTES = 64 * 1024


class HeadTooLarge(Exception):  # noqa: N818
    """The parser stops at an exception, whichever it is."""


class TwoHosts(Exception):  # noqa: N818
    """Doors and proxies may each look at another one (RFC 9112 section 3.2)."""


class Connection(HttpToolsProtocol):
    """HTTP/1.1 over one socket, with bounds on the head of a request."""

    head_seconds = HEAD_SECONDS

    _deadline: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0
    _hosts = 0
    _unread_bytes = 0
    _refusal = HTTPStatus.BAD_REQUEST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first request, but not for ever."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was waited for."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on. The parser keeps a header until its end, so the bytes are counted here, too."""
        super().data_received(data)
        if self._deadline is None and self._idle and not self.transport.is_closing():
            # Bytes that begin no request, after an answer; uvicorn waits for ever after them.
            self._await_head()
        if not self._in_head:
            self._unread_bytes = 0
            return
        self._unread_bytes += len(data)
        if self._unread_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Begin a request: the rest of its head must follow."""
        self._head_bytes = 0
        self._hosts = 0
        self._in_head = True
        if self._deadline is None:
            self._await_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request's target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count(len(name) + len(value) + len(b": \r\n"))
        self._hosts += name.lower() == b"host"
        if self._hosts > 1:
            raise TwoHosts
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request on; its body has limits of its own."""
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()
        extensions = cast("dict[str, Any]", self.scope.setdefault("extensions", {}))
        extensions[IS_CLOSING] = self.transport.is_closing

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's words are its log's
        """Answer what is no HTTP, or too much of it, and close the connection."""
        request_id = uuid.uuid4().hex
        body = json.dumps({**_problem(self._refusal), "request_id": request_id}).encode()
        head = (
            f"HTTP/1.1 {self._refusal} {self._refusal.phrase}\r\n"
            f"content-type: application/problem+json\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    @property
    def _idle(self) -> bool:
        return not self._answering and self.timeout_keep_alive_task is None

    @property
    def _answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _count(self, length: int) -> None:
        self._head_bytes += length
        if self._head_bytes > HEAD_BYTES:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise HeadTooLarge

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._answering:
            self._await_head()  # what it stands behind is answered first
        elif not self.transport.is_closing():
            self.transport.close()


def _problem(status: HTTPStatus) -> dict[str, Any]:
    if status == HTTPStatus.BAD_REQUEST:
        code, title = "malformed_http", "This is no HTTP request"
        detail = "The request breaks the rules of HTTP/1.1. Send it with an HTTP client."
    else:
        code, title = "head_too_large", "The head of the request is too large"
        detail = f"Address and headers may have {HEAD_BYTES:,} bytes together. Send less."
    problem = {"type": f"/problems/{code}", "title": title, "status": status, "detail": detail}
    return {**problem, "code": code}
