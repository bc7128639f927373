"""Small requests that want to become large: the service's peak memory is measured and bounded."""

import json
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.client import Client
from tests.integration.cases.base import JSON
from tests.integration.cases.predictions import BOMB, HUGE_PNG
from tests.integration.conftest import running
from tests.integration.pictures import a_picture, idx_labels, png_with, zeros
from tests.integration.states import QUICK, a_job

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")

MEBIBYTE = 1 << 20
MAX_UPLOAD = 4 * MEBIBYTE
SPEC = '{"name": "bomb", "type": "idx"}'
Send = Callable[[httpx.Client], httpx.Response]


class Watched:
    """A service and the memory of its process, in mebibytes."""

    def __init__(self, url: str, pid: int) -> None:
        self.http = httpx.Client(base_url=url, timeout=120)
        self._folder = Path("/proc") / str(pid)

    def begin(self) -> int:
        """Forget the peak so far; return what is in use now."""
        (self._folder / "clear_refs").write_text("5")
        return self._read("VmRSS")

    def peak(self) -> int:
        """Return the most memory that was in use since then."""
        return self._read("VmHWM")

    def _read(self, name: str) -> int:
        lines = (self._folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) // 1024


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A service of its own, with the model `digits`, that takes uploads of 4 MiB."""
    folder = tmp_path_factory.mktemp("watched")
    settings = {"TRAINYARD_MAX_UPLOAD_BYTES": str(MAX_UPLOAD)}
    with running(f"sqlite:///{folder}/trainyard.db", folder, **settings) as url:
        with Client(url) as client:
            job = client.create_job({**a_job("digits", "mlp", QUICK), "model": "digits"})
            assert client.wait_for_job(job.id).status == "succeeded"
            client.predict("digits", [[[0] * 8] * 8])
            workers: Any = client.system()["workers"]
        watched = Watched(url, workers[0]["pid"])
        yield watched
        watched.http.close()


def picture(content: bytes, kind: str = "png") -> Send:
    headers = {"Content-Type": f"image/{kind}"}
    return lambda http: http.post("/v1/models/digits/predict", content=content, headers=headers)


def upload(images: bytes, labels: bytes) -> Send:
    files: Any = {"spec": (None, SPEC), "images": images, "labels": labels}
    return lambda http: http.post("/v1/datasets", files=files)


def body(content: bytes) -> Send:
    return lambda http: http.post("/v1/jobs", content=content, headers=JSON)


def nothing(head: bytes = b"") -> bytes:
    """Write 256 MiB of zeros behind `head` in 256 KiB."""
    return zeros(256, head)


def many_images() -> bytes:
    return nothing(struct.pack(">4I", 0x803, 256 * MEBIBYTE, 1, 1))


def many_labels() -> bytes:
    return nothing(struct.pack(">2I", 0x801, 256 * MEBIBYTE))


def large(mode: str) -> Send:
    """Send a picture of 49 million pixels."""
    return picture(a_picture(mode, "PNG", (7000, 7000)))


def wrong_sizes() -> bytes:
    start = b'{"dataset": "digits", "architecture": {"type": "mlp", "hidden_sizes": ['
    return start + b'"a",' * 3_000_000 + b"1]}}"


def unknown_fields() -> bytes:
    return b"{" + b",".join(b'"%d": 1' % number for number in range(1_000_000)) + b"}"


TWO_IMAGES = struct.pack(">4I", 0x803, 2, 1, 1) + b"ab"

# Made by the test that sends them: this module is read by all processes that run tests.
BOMBS: dict[str, tuple[int, int, Callable[[], Send]]] = {
    "a header of 20,000 × 20,000": (422, 32, lambda: picture(HUGE_PNG)),
    "a PNG of 49 million grey pixels": (200, 400, lambda: large("L")),
    "the same in 16 bits": (200, 700, lambda: large("I;16")),
    "the same to see through": (200, 1000, lambda: large("RGBA")),
    "a GIF of 60 frames": (
        200,
        64,
        lambda: picture(a_picture("P", "GIF", (64, 64), frames=60), "gif"),
    ),
    "a PNG with 256 MiB of text": (
        422,
        200,
        lambda: picture(png_with(b"zTXt", b"a\0\0" + BOMB)),
    ),
    "gzip that holds more than it says": (422, 32, lambda: upload(nothing(), idx_labels([0, 1]))),
    "gzip of 256 million images and labels": (
        422,
        64,
        lambda: upload(many_images(), many_labels()),
    ),
    "labels that hold more than they say": (422, 32, lambda: upload(TWO_IMAGES, many_labels())),
    "a list of three million wrong sizes": (422, 400, lambda: body(wrong_sizes())),
    "a million unknown fields": (422, 400, lambda: body(unknown_fields())),
    "20,000 brackets": (400, 32, lambda: body(b"[" * 20_000)),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_the_memory_of_a_request_is_bounded(watched: Watched, bomb: str) -> None:
    status, mebibytes, make = BOMBS[bomb]
    send = make()
    before = watched.begin()
    answer = send(watched.http)
    assert answer.status_code == status, answer.text[:300]
    assert watched.peak() - before < mebibytes
    assert watched.http.get("/livez").status_code == 200


def a_form(size: int) -> httpx.Request:
    spec = json.dumps({"name": "large", "type": "text"})
    files: Any = {"spec": (None, spec), "file": ("a.txt", b"a b\n" * (size // 4))}
    return httpx.Request("POST", "http://localhost/v1/datasets", files=files)


@pytest.mark.parametrize("told", [True, False], ids=["its length told", "its length hidden"])
def test_an_upload_beyond_the_limit_is_refused(watched: Watched, told: bool) -> None:
    request = a_form(2 * MAX_UPLOAD)
    content = request.read()
    pieces = (content[start : start + 65_536] for start in range(0, len(content), 65_536))
    before = watched.begin()
    answer = watched.http.post(
        "/v1/datasets",
        content=content if told else pieces,
        headers={"Content-Type": request.headers["Content-Type"]},
    )
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "body_too_large"
    assert watched.peak() - before < 64
    assert watched.http.get("/v1/datasets/large").status_code == 404
