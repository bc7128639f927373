"""The doors: who is let in at all. What a key may do once inside is in `scopes`.

Without keys the service answers this machine alone, and no foreign web page: a page that the user
visits can send requests to loopback, and its name may even resolve to it (DNS rebinding). The
browser tells on both, the first by Origin and Sec-Fetch-Site, the second by Host.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problems import Forbidden, Unauthorized, render
from service.domain.keys import ApiKey, find_key

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = frozenset({"/livez", "/readyz"})


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
            "program, from a page of this service, or allow the origin in TRAINYARD_CORS_ORIGINS."
        )


class Doors:
    """Middleware that lets in holders of a key; without keys, what comes from this machine."""

    def __init__(
        self, app: ASGIApp, *, keys: Sequence[ApiKey], origins: Collection[str], local: bool
    ) -> None:
        self._app = app
        self._keys = keys
        self._origins = frozenset(origins)
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            request = Request(scope, receive)
            refusal = self._refuse_key(request) if self._keys else self._refuse_page(request)
            if refusal is not None:
                await render(request, refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refuse_key(self, request: Request) -> Unauthorized | None:
        if request.scope["path"] in OPEN_PATHS:
            return None
        key = find_key(self._keys, _given_key(request))
        if key is None:
            return Unauthorized()
        request.scope.setdefault("state", {})["key"] = key
        return None

    def _refuse_page(self, request: Request) -> Forbidden | None:
        headers = request.headers
        host = headers.get("host", "")
        if self._local and _name_of(f"//{host}") not in LOCAL_NAMES:
            return ForeignHost()
        origin = headers.get("origin")
        if request.method in SAFE_METHODS or origin in self._origins:
            return None
        if origin is not None and origin.rpartition("://")[2].lower() != host.lower():
            return ForeignOrigin()
        if headers.get("sec-fetch-site") == "cross-site":
            return ForeignOrigin()
        return None


class Origins(CORSMiddleware):
    """CORS (Fetch standard, section 3.2) whose refusals are problems, and not plain text."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer what a browser asks before it sends a request for a page."""
        answer = super().preflight_response(request_headers)
        return answer if answer.status_code == 200 else _Refused()


class _Refused(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await render(Request(scope), ForeignOrigin())(scope, receive, send)


def key_of(scope: Scope) -> ApiKey | None:
    """Return the key that a request was let in with; None where the service has no keys."""
    return scope.get("state", {}).get("key")


def owner_of(scope: Scope) -> str | None:
    """Return the name of the key that a request was let in with."""
    key = key_of(scope)
    return None if key is None else key.name


def _given_key(request: Request) -> str:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return request.headers.get("x-api-key", "")


@lru_cache(maxsize=64)  # the same few all the time
def _name_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # an IPv6 address that is none
        return None
