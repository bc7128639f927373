"""Bytes to the service as they are: what no HTTP client would send."""

import socket
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx

HOST = "Host: localhost\r\n"


def exchange(url: str, head: str | bytes, body: bytes = b"") -> httpx.Response:
    """Send the head of a request, a Host added, and `body`; return the first answer."""
    lines = head.encode() if isinstance(head, str) else head
    return send_bytes(url, lines + HOST.encode() + b"\r\n" + body)


def send_bytes(url: str, content: bytes) -> httpx.Response:
    """Send bytes; return the first answer but 100."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(content)
        with HTTPResponse(connection) as response:
            response.begin()
            return httpx.Response(
                response.status, headers=response.getheaders(), content=response.read()
            )


def send_until_closed(url: str, content: bytes) -> bytes:
    """Send bytes; return all that comes until the service ends the connection."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(content)
        return b"".join(iter(lambda: connection.recv(65_536), b""))
