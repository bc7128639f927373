"""What both clients send, and where to: addresses, keys and requests made of calls."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import httpx
from anyio import to_thread

from service.client.call import Call, Parts
from service.client.errors import InvalidError, UnreachableError

FormPart = tuple[str, tuple[str | None, str | BinaryIO, str]]


class Destination(NamedTuple):
    """Where a client sends, and with what."""

    url: httpx.URL
    shown: str
    """The address without a password, for messages."""
    headers: dict[str, str]
    trust_env: bool
    """Whether a proxy of the environment is used; it cannot reach this machine's own loopback."""


def destination(url: str, api_key: str | None) -> Destination:
    """Check an address and a key. Raises UnreachableError and InvalidError."""
    parsed = _parse(url)
    headers = {"User-Agent": "trainyard-client", "Accept": "application/json"}
    key = (api_key or "").strip()
    if key:
        if not (key.isascii() and key.isprintable() and " " not in key):
            # The message of the library below would repeat it.
            message = "The API key is none: it has characters that a header cannot carry."
            raise InvalidError(message)
        headers["Authorization"] = f"Bearer {key}"
    shown = str(parsed.copy_with(userinfo=b"")).rstrip("/")
    return Destination(parsed, shown, headers, trust_env=not _is_loopback(parsed.host))


def request_of(
    call: Call[Any], http: httpx.Client | httpx.AsyncClient, opened: ExitStack, *, timeout: float
) -> httpx.Request:
    """Make the request of a call; `opened` will close its files.

    Raises InvalidError when the call cannot be written, and OSError when a file cannot be read.
    """
    try:
        return http.build_request(
            call.method,
            call.path,
            params=call.parameters() or None,
            content=call.content,
            files=_open_parts(call.parts, opened) if call.parts else None,
            headers=call.headers,
            timeout=timeout + call.wait_seconds,
        )
    except (httpx.InvalidURL, UnicodeEncodeError) as error:
        message = f"The request cannot be written: {error}."
        raise InvalidError(message) from error


class ReadInThreads(httpx.AsyncByteStream):
    """A body that is read from files piece by piece, each in a thread: a disk may be slow."""

    def __init__(self, body: httpx.SyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self._body)
        while (piece := await to_thread.run_sync(next, pieces, None)) is not None:
            yield piece


def _open_parts(parts: Parts, opened: ExitStack) -> list[FormPart]:
    """Make the parts of a form: JSON as it is, files to be streamed from where they are."""
    form: list[FormPart] = []
    for name, content in parts.items():
        if isinstance(content, str):
            form.append((name, (None, content, "application/json")))
        elif isinstance(content, Path):
            file = opened.enter_context(content.open("rb"))
            form.append((name, (content.name, file, "application/octet-stream")))
        elif not isinstance(content, bytes):
            content.seek(0)
            form.append((name, (name, content, "application/octet-stream")))
        else:
            form.append((name, (name, BytesIO(content), "application/octet-stream")))
    return form


def _parse(url: str) -> httpx.URL:
    shown = url.rpartition("@")[2]  # a password stands before it
    try:
        parsed = httpx.URL(url.rstrip("/"))
        parsed.host.encode("idna")  # the resolver fails with labels that are empty or too long
    except (httpx.InvalidURL, UnicodeError) as error:
        message = f"{shown} is no address of a service."
        raise UnreachableError(message) from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        message = f"{shown} is no address of a service; begin it with http://."
        raise UnreachableError(message)
    if (parsed.port or 0) > 65_535:
        message = f"{shown} is no address of a service: ports end at 65535."
        raise UnreachableError(message)
    return parsed


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
