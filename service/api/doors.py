"""The doors of a service without keys: it answers this machine alone, and no foreign web page.

A page that the user visits can send requests to loopback; its name may even resolve to it (DNS
rebinding). The browser tells on both: the first by Origin and Sec-Fetch-Site, the second by Host.
"""

from urllib.parse import urlsplit

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problems import Forbidden, render

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class ForeignHost(Forbidden):
    """The request was sent to a name that is not this machine's."""

    code = "foreign_host"
    title = "The Host is not this machine"

    def __init__(self) -> None:
        super().__init__(
            "Without keys the service answers as localhost, 127.0.0.1 and [::1] only. "
            "Use one of these as the host."
        )


class ForeignOrigin(Forbidden):
    """A page of another origin tries to change something."""

    code = "foreign_origin"
    title = "A page of another origin may not do this"

    def __init__(self) -> None:
        super().__init__(
            "A web page of another origin may not change anything here. Send the request from a "
            "program, or from a page of this service."
        )


class Doors:
    """Middleware that turns away what is not for this machine."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            request = Request(scope, receive)
            refusal = _refusal(request)
            if refusal is not None:
                await render(request, refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _refusal(request: Request) -> Forbidden | None:
    headers = request.headers
    host = headers.get("host", "")
    if _name_of(f"//{host}") not in LOCAL_NAMES:
        return ForeignHost()
    if request.method in SAFE_METHODS:
        return None
    origin = headers.get("origin")
    if origin is not None and origin.rpartition("://")[2].lower() != host.lower():
        return ForeignOrigin()
    if headers.get("sec-fetch-site") == "cross-site":
        return ForeignOrigin()
    return None


def _name_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # an IPv6 address that is none
        return None
