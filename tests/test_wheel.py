"""The wheel alone is enough: migrations and shipped data are in it."""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("trainyard-*.whl"))


def an_environment(folder: Path) -> Path:
    """Make an empty environment; return its Python."""
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


@pytest.fixture(params=["borrowed", pytest.param("installed", marks=pytest.mark.slow)])
def clean_python(request: pytest.FixtureRequest, wheel: Path, tmp_path: Path) -> Path:
    """An environment with the wheel and its dependencies, but not this checkout.

    Installing torch takes long: the quick kind borrows the dependencies from this environment. A
    path in a .pth file brings its packages, but not the editable install of this checkout.
    """
    python = an_environment(tmp_path / "environment")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if request.param == "borrowed":
        pip.append("--no-deps")
        packages = next((tmp_path / "environment").glob("lib/python*/site-packages"))
        (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    else:
        subprocess.run([*pip, os.environ.get("TORCH", "torch==2.13.0")], check=True)
    subprocess.run([*pip, str(wheel)], check=True)
    return python


@pytest.fixture
def url(clean_python: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a service that runs from the wheel in an empty folder."""
    folder = tmp_path / "empty"
    folder.mkdir()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("TRAINYARD_")
    }
    command = [str(clean_python.parent / "trainyard"), "up", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()
        process.wait(timeout=60)


def test_the_wheel_runs_the_service_in_an_empty_folder(url: str) -> None:
    with httpx.Client(base_url=url, timeout=30) as client:
        assert client.get("/readyz").json()["status"] == "ready"
        names = {dataset["name"] for dataset in client.get("/v1/datasets").json()["data"]}
    assert names >= {"eating", "python-docs", "digits", "fashion-mnist-mini", "solar", "sms-spam"}
