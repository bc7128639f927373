"""The image builds, and what it starts works as a container engine would run it."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from service.client import Client
from tests import image as images
from tests.image import Image

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parent.parent
LIMIT_SECONDS = 120
KEY = "a-key-of-the-test"


class Container(NamedTuple):
    """A service in a container, started on a port that it chose itself."""

    process: subprocess.Popen[str]
    pid: int
    port: str


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image of this checkout, with PyTorch from where this machine installs."""
    reason = images.why_not(tmp_path_factory.mktemp("try"))
    if reason is not None:
        pytest.skip(f"needs Linux, root and overlay mounts: {reason}")
    folder = tmp_path_factory.mktemp("image")
    with images.built(ROOT, folder, TORCH_INDEX=os.environ.get("TORCH_INDEX", "")) as image:
        yield image


@pytest.fixture(scope="module")
def container(image: Image) -> Iterator[Container]:
    """`trainyard up`, as the image starts it, with a key."""
    keys = f"test:train:{KEY}"
    with image.run(TRAINYARD_PORT="0", TRAINYARD_API_KEYS=keys) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "it ended; its log says why"
        yield Container(process, images.first_process(process), url.rpartition(":")[2])
        process.kill()


def test_it_does_not_start_without_keys(image: Image) -> None:
    with image.run(TRAINYARD_PORT="0") as process:
        assert process.wait(timeout=LIMIT_SECONDS) == 2


def test_it_runs_without_rights_on_a_read_only_root(container: Container) -> None:
    process = Path(f"/proc/{container.pid}")
    status = dict(re.findall(r"(\w+):\t(.*)", (process / "status").read_text(encoding="ascii")))
    assert {*status["Uid"].split()} == {"10001"}
    assert int(status["CapBnd"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert re.search(r" / ro,", (process / "mountinfo").read_text(encoding="utf-8"))


def test_its_health_check_tells_whether_it_serves(image: Image, container: Container) -> None:
    assert image.is_healthy(container.pid, TRAINYARD_PORT=container.port)
    assert not image.is_healthy(container.pid, TRAINYARD_PORT="1")


def test_it_trains_and_predicts(container: Container) -> None:
    with Client(f"http://127.0.0.1:{container.port}", api_key=KEY) as client:
        job = client.create_job(
            {"dataset": "digits", "architecture": "mlp", "training": {"max_steps": 5}}
        )
        ended = client.wait_for_job(job.id, deadline=LIMIT_SECONDS)
        assert ended.status == "succeeded", ended.error
        answer = client.predict(job.id, [[[0] * 8] * 8])
    assert answer.predictions


def test_it_ends_by_itself_when_it_is_told_to(container: Container) -> None:
    os.kill(container.pid, signal.SIGTERM)
    assert container.process.wait(timeout=LIMIT_SECONDS) == 0
