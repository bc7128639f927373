"""A mirror on this machine, which serves files well or badly and remembers what it was asked."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Barrier, Event, Thread
from typing import NamedTuple


class Asked(NamedTuple):
    """One request."""

    path: str
    range: str | None
    if_range: str | None


class Mirror:
    """What is served, and how. A manner holds for all paths that begin with its key."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.manners: dict[str, Manner] = {}
        self.asked: list[Asked] = []
        self.closing = Event()

    def manner_of(self, path: str) -> "Manner":
        return next((self.manners[key] for key in self.manners if path.startswith(key)), well)

    def asked_for(self, beginning: str) -> list[Asked]:
        """List the requests for paths that begin so."""
        return [asked for asked in self.asked if asked.path.startswith(beginning)]

    def ranges_of(self, path: str) -> list[str | None]:
        """List the ranges that were asked of one file."""
        return [asked.range for asked in self.asked if asked.path == path]


class Answer:
    """The answer to one request: what a manner may do with it."""

    def __init__(self, mirror: Mirror, handler: BaseHTTPRequestHandler) -> None:
        self.closing = mirror.closing
        self._handler = handler
        self.content = mirror.files.get(handler.path, b"")
        self.path = handler.path
        self.range = handler.headers.get("Range")
        self.if_range = handler.headers.get("If-Range")

    @property
    def start(self) -> int:
        """The first byte that was asked for."""
        return int(self.range.removeprefix("bytes=").removesuffix("-")) if self.range else 0

    def head(self, status: int, **headers: str) -> None:
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.send_header("Connection", "close")
        self._handler.end_headers()

    def write(self, content: bytes) -> None:
        self._handler.wfile.write(content)
        self._handler.wfile.flush()


Manner = Callable[[Answer], None]


def well(answer: Answer) -> None:
    """Serve the file, or the part of it that is asked for."""
    _begin(answer)
    answer.write(answer.content[answer.start :])


def cutting_after(size: int) -> Manner:
    """End every answer after so many bytes, as a broken connection does."""

    def cut(answer: Answer) -> None:
        _begin(answer)
        answer.write(answer.content[answer.start :][:size])

    return cut


def knowing_no_range(first: int) -> Manner:
    """Serve the whole file whatever is asked; the first answer ends after `first` bytes."""
    answers: list[str] = []

    def serve(answer: Answer) -> None:
        again = answer.path in answers
        answers.append(answer.path)
        answer.head(200, Content_Length=str(len(answer.content)))
        answer.write(answer.content if again else answer.content[:first])

    return serve


def answering(status: int, **headers: str) -> Manner:
    """Answer with a status and no file."""
    return lambda answer: answer.head(status, Content_Length="0", **headers)


def redirecting(to: str) -> Manner:
    return answering(302, Location=to)


def in_turn(*manners: Manner) -> Manner:
    """Answer each request in another manner; the last one stays."""
    left = list(manners)

    def serve(answer: Answer) -> None:
        manner = left.pop(0) if len(left) > 1 else left[0]
        manner(answer)

    return serve


def with_other_bytes(answer: Answer) -> None:
    """Serve as many bytes as known, but others."""
    answer.head(200, Content_Length=str(len(answer.content)))
    answer.write(bytes(255 - byte for byte in answer.content))


def with_more_bytes(answer: Answer) -> None:
    """Serve more than known, without telling beforehand."""
    answer.head(200)
    answer.write(answer.content + b"more")


def telling_more_bytes(answer: Answer) -> None:
    """Tell of more than known, and send nothing."""
    answer.head(200, Content_Length=str(len(answer.content) + 4))


def trickling(answer: Answer) -> None:
    """Serve the first byte, then the next ones so slowly that nobody waits for the end."""
    _begin(answer)
    for byte in answer.content[answer.start : -1]:
        answer.write(bytes([byte]))
        if answer.closing.wait(0.2):
            return
    answer.closing.wait()


def silent(answer: Answer) -> None:
    """Take the request and say nothing."""
    answer.closing.wait()


def together(requests: int) -> Manner:
    """Serve well, the first requests only when so many have come."""
    barrier = Barrier(requests)

    def serve(answer: Answer) -> None:
        if answer.path.endswith("train-images-idx3-ubyte.gz"):
            barrier.wait(timeout=120)
        well(answer)

    return serve


@contextmanager
def a_mirror() -> Generator[Mirror]:
    """Serve on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = Asked(self.path, self.headers.get("Range"), self.headers.get("If-Range"))
            mirror.asked.append(asked)
            try:
                mirror.manner_of(self.path)(Answer(mirror, self))
            except ConnectionError:  # the other side has gone
                return

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        mirror = Mirror(f"http://127.0.0.1:{server.server_address[1]}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield mirror
        mirror.closing.set()
        server.shutdown()
        thread.join()


def _begin(answer: Answer) -> None:
    """Send the head of the file, or of the part that is asked for if the file is the same."""
    size = len(answer.content)
    etag = f'"{hash(answer.content)}"'
    if answer.range and answer.if_range in {None, etag}:
        part = f"bytes {answer.start}-{size - 1}/{size}"
        answer.head(206, Content_Length=str(size - answer.start), Content_Range=part, ETag=etag)
    else:
        answer.range = None
        answer.head(200, Content_Length=str(size), ETag=etag)
