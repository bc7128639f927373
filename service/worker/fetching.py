"""Fetch a file over HTTP of which size and SHA-256 are known; nothing counts before both are right.

What was cut goes on where it was (RFC 9110 section 14), on the same mirror; another mirror begins
anew. A fetch blocks for as long as its timing says, so it runs in a thread, and others stop it.
"""

import hashlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from threading import Event, Lock
from typing import BinaryIO, NamedTuple
from urllib.parse import urlsplit

import httpx

from service.datasets.base import DownloadFile

MAX_REDIRECTS = 5
TRY_AGAIN = {408, 425, 429}  # and every 5xx
UNREADABLE = "an address in it is no http:// or https:// URL"


class Timing(NamedTuple):
    """How long to wait for what. `tries` is how many in a row may bring nothing new."""

    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    tries: int = 5
    pause_seconds: float = 0.5


USUAL = Timing()


class FetchFailed(Exception):  # noqa: N818  a state of affairs, told in words
    """No mirror gave the file; `corrupt` when one gave other bytes than those that are known."""

    def __init__(self, reason: str, *, corrupt: bool = False) -> None:
        super().__init__(reason)
        self.corrupt = corrupt


class Stopped(Exception):  # noqa: N818  nothing went wrong
    """Somebody called `stop`."""


class Cut(Exception):  # noqa: N818  a state of affairs that is acted on
    """It did not work this time; the next try may go on."""


class Fetch:
    """One file on its way into `target`, an unbuffered file. Other threads may read `received`."""

    def __init__(self, file: DownloadFile, target: BinaryIO, timing: Timing = USUAL) -> None:
        self._file = file
        self._target = target
        self._timing = timing
        self._stopped = Event()
        self._writing = Lock()
        self._begin_anew()

    def run(self, urls: Sequence[str]) -> None:
        """Fetch from the first of these that has it. Raises FetchFailed, Stopped."""
        timeout = httpx.Timeout(self._timing.read_seconds, connect=self._timing.connect_seconds)
        # The bytes are wanted as they lie there, not packed for the way.
        headers = {"Accept-Encoding": "identity", "User-Agent": "trainyard"}
        failures: list[tuple[str, FetchFailed]] = []
        with httpx.Client(timeout=timeout, headers=headers) as client:
            for url in urls:
                try:
                    self._fetch(client, url)
                except FetchFailed as failure:
                    failures.append((_host(url), failure))
                else:
                    return
        reasons = "; ".join(f"{host}: {failure}" for host, failure in failures)
        raise FetchFailed(reasons, corrupt=any(failure.corrupt for _, failure in failures))

    def stop(self) -> None:
        """Have `run` end soon; when this returns, nothing more is written to the target."""
        with self._writing:
            self._stopped.set()

    def _fetch(self, client: httpx.Client, url: str) -> None:
        """Fetch from one mirror, in as many tries as it takes while each brings something new."""
        self._begin_anew()
        furthest = fruitless = 0
        while self.received < self._file.bytes:
            try:
                with _faults_in_words(self._timing):
                    self._receive(client, url)
            except Cut as cut:
                fruitless = 0 if self.received > furthest else fruitless + 1
                furthest = max(furthest, self.received)
                if fruitless == self._timing.tries:
                    reason = f"{cut}, {fruitless} times in a row"
                    raise FetchFailed(reason) from cut
                self._stopped.wait(self._timing.pause_seconds * 2**fruitless)
        if self._digest.hexdigest() != self._file.sha256:
            reason = "the file is another one: its SHA-256 is not the one that is known"
            raise FetchFailed(reason, corrupt=True)

    def _receive(self, client: httpx.Client, url: str) -> None:
        request = client.build_request("GET", url, headers=self._range())
        with _answer(client, request, self._stopped) as response:
            self._take_up(response)
            for chunk in response.iter_raw():
                self._write(chunk)
        if self.received < self._file.bytes:
            raise Cut(f"the answer ended after {self.received:,} of {self._file.bytes:,} bytes")

    def _range(self) -> dict[str, str]:
        """Ask for the rest, if something is there; for all of it, if the file changed meanwhile."""
        if self.received == 0:
            return {}
        rest = {"Range": f"bytes={self.received}-"}
        return rest if self._etag is None else {**rest, "If-Range": self._etag}

    def _take_up(self, response: httpx.Response) -> None:
        """Make of the answer's head where its body belongs."""
        status = response.status_code
        if status == HTTPStatus.PARTIAL_CONTENT and self.received:
            part = response.headers.get("Content-Range", "")
            if not part.startswith(f"bytes {self.received}-"):
                self._begin_anew()
                raise Cut("it sent another part than the one it was asked for")
        elif status == HTTPStatus.OK:  # all of it, also when only the rest was asked for
            self._begin_anew()
            etag = response.headers.get("ETag")
            self._etag = etag if etag and not etag.startswith("W/") else None
            if response.headers.get("Content-Length", str(self._file.bytes)) != str(
                self._file.bytes
            ):
                raise self._wrong_size()
        elif status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self._begin_anew()
            raise Cut("it could not send the rest of the file")
        elif status in TRY_AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Cut(f"it answered {_status_in_words(status)}")
        else:
            raise FetchFailed(f"it answered {_status_in_words(status)}")

    def _write(self, chunk: bytes) -> None:
        if self.received + len(chunk) > self._file.bytes:
            raise self._wrong_size()
        left = memoryview(chunk)
        with self._writing:
            if self._stopped.is_set():
                raise Stopped
            try:
                while left:
                    left = left[self._target.write(left) :]
            except OSError as error:
                reason = f"the temporary file could not be written ({error.strerror})"
                raise FetchFailed(reason) from error
        self._digest.update(chunk)
        self.received += len(chunk)

    def _begin_anew(self) -> None:
        with self._writing:
            if self._stopped.is_set():
                raise Stopped
            self._target.seek(0)
            self._target.truncate()
        self.received = 0
        self._digest = hashlib.sha256()
        self._etag: str | None = None

    def _wrong_size(self) -> FetchFailed:
        reason = f"the file is another one: it does not have the {self._file.bytes:,} bytes known"
        return FetchFailed(reason, corrupt=True)


@contextmanager
def _answer(
    client: httpx.Client, request: httpx.Request, stopped: Event
) -> Generator[httpx.Response]:
    """Send a request and follow redirects; httpx would read their bodies, however long."""
    for _ in range(MAX_REDIRECTS + 1):
        if stopped.is_set():
            raise Stopped
        response = client.send(request, stream=True)
        try:
            if response.next_request is None:
                yield response
                return
            request = response.next_request
        finally:
            response.close()
    raise FetchFailed(f"it redirects more than {MAX_REDIRECTS} times, perhaps in a circle")


@contextmanager
def _faults_in_words(timing: Timing) -> Generator[None]:
    """Say what became of a connection: a cut may be mended, an address that is none may not."""
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise Cut(f"it could not be reached within {timing.connect_seconds:g} seconds") from error
    except httpx.TimeoutException as error:
        raise Cut(f"it sent nothing for {timing.read_seconds:g} seconds") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise FetchFailed(UNREADABLE) from error
    except httpx.ConnectError as error:
        raise Cut(f"it could not be reached ({error})") from error
    except httpx.TransportError as error:
        raise Cut("the connection broke off") from error


def _status_in_words(status: int) -> str:
    known = status in HTTPStatus.__members__.values()
    return f"{status} {HTTPStatus(status).phrase}" if known else str(status)


def _host(url: str) -> str:
    """Name a mirror; a whole URL could hold a password."""
    return urlsplit(url).hostname or "the mirror"
