"""The SQLite file is locked, its disk full, or it is read-only: 503 in words, and nothing lost."""

import os
import subprocess
import threading
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.client import Client
from service.store.engine import Database
from service.store.tables import BlobChunkRow
from tests.eventually import eventually
from tests.integration.conftest import running
from tests.integration.faults import (
    SECONDS,
    SENTENCES,
    TINY,
    assert_refused,
    assert_whole,
    requests_for,
    trains,
    until,
    writes_for,
)
from tests.integration.pictures import idx_images, idx_labels

MEBIBYTE = 1024 * 1024
LONG = {
    "model": "long",
    "dataset": "eating",
    "architecture": {"type": "rnn", "hidden_size": 16},
    "training": {"epochs": 6, "batch_size": 8},
}
LARGE = {
    "dataset": "digits",
    "architecture": {"type": "mlp", "hidden_sizes": [1200, 1200]},
    "training": {"max_steps": 4, "batch_size": 64},
}


@contextmanager
def mounted(*arguments: str) -> Generator[None]:
    """Mount something for the block; skip where that is not allowed."""
    tried = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"needs to mount: {tried.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", arguments[-1]], check=True)


@contextmanager
def read_only(mount: Path) -> Generator[None]:
    """Mount it so that nobody can write, not even root; the block may take that back."""
    remount(mount, "ro")
    yield


def remount(mount: Path, how: str) -> None:
    """Change a bind mount to ro or rw."""
    subprocess.run(["mount", "-o", f"remount,bind,{how}", str(mount)], check=True)


@contextmanager
def locked(file: Path, kind: str) -> Generator[None]:
    """Lock the file by another program for the block."""
    code = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)\n"
        "connection.execute('BEGIN ' + sys.argv[2])\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        ["python3", "-c", code, str(file), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            process.stdin.close()


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [("IMMEDIATE", 6.0), pytest.param("EXCLUSIVE", 20.0, marks=pytest.mark.slow)],
)
def test_a_locked_file_delays_writes_and_nothing_else(
    tmp_path: Path, kind: str, seconds: float
) -> None:
    file = tmp_path / "trainyard.db"
    with (
        running(f"sqlite:///{file}", tmp_path, TRAINYARD_LEASE_SECONDS="4") as url,
        Client(url) as client,
        httpx.Client(base_url=url, timeout=SECONDS) as http,
    ):
        client.wait_for_job(client.create_job({**TINY, "model": "tiny"}).id)
        assert len(client.list_datasets().data) > 3  # the built-in ones come in when asked for
        job = client.create_job(LONG)
        trains(client, job)
        with locked(file, kind), ThreadPoolExecutor(20) as many:
            free_again = threading.Timer(seconds, lambda: None)
            free_again.start()
            writes = [many.submit(http.request, m, p, **more) for m, p, more in writes_for(job.id)]
            assert http.get("/livez").status_code == 200
            assert http.get("/readyz").status_code == 200
            for method, path, arguments in reads_for(job.id):
                answer = http.request(method, path, **arguments)
                assert answer.status_code == 200, (path, answer.text)
            for write in writes:
                assert_refused(write.result(), "database_busy")
            free_again.join()
        for method, path, arguments in requests_for(job.id):
            answer = http.request(method, path, **arguments)
            assert answer.status_code in {200, 201, 202, 204}, (method, path, answer.text)
        ended = client.wait_for_job(job.id, deadline=240)
        assert ended.status == "succeeded", ended.error
        with opened(file) as database:
            assert_whole(database, ended)


def test_a_full_disk_refuses_what_is_too_large_and_gives_its_space_back(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    images, labels = idx_images(110_000, 28), idx_labels([n % 10 for n in range(110_000)])
    spec = (None, '{"name": "large", "type": "idx"}')
    with (
        mounted("-t", "tmpfs", "-o", "size=144m", "trainyard", str(disk)),
        running(f"sqlite:///{disk}/trainyard.db", tmp_path) as url,
        Client(url) as client,
        httpx.Client(base_url=url, timeout=SECONDS) as http,
        opened(disk / "trainyard.db") as database,
    ):
        for _ in range(2):
            files = {"spec": spec, "images": ("i", images), "labels": ("l", labels)}
            assert_refused(http.post("/v1/datasets", files=files), "storage_full")
        with database.read() as session:
            size = sa.func.sum(sa.func.length(BlobChunkRow.data))
            assert (session.scalars(sa.select(size)).one() or 0) < 2 * MEBIBYTE
        body = {"name": "soup", "type": "text", "text": SENTENCES}
        assert http.post("/v1/datasets", json=body).status_code == 201

        database.free_pages()  # as the worker's cleaning does, in its own time
        ballast = disk / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free_bytes(disk) - 50 * MEBIBYTE)
        failed = client.wait_for_job(client.create_job({**LARGE, "model": "large"}).id)
        assert failed.error is not None
        assert (failed.status, failed.error.code) == ("failed", "storage_full")
        assert "retry the job" in (failed.error.hint or "")
        assert client.wait_for_job(client.create_job(TINY).id).status == "succeeded"

        ballast.unlink()
        assert http.post(f"/v1/jobs/{failed.id}/retry").status_code == 200
        assert client.wait_for_job(failed.id).status == "succeeded"


@pytest.mark.slow
def test_a_disk_without_a_byte_left_ends_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with (
        mounted("-t", "tmpfs", "-o", "size=144m", "trainyard", str(disk)),
        running(f"sqlite:///{disk}/trainyard.db", tmp_path, TRAINYARD_LEASE_SECONDS="4") as url,
        Client(url) as client,
        httpx.Client(base_url=url, timeout=SECONDS) as http,
        opened(disk / "trainyard.db") as database,
    ):
        job = client.create_job({**LONG, "training": {"epochs": 40, "batch_size": 8}})
        trains(client, job)
        ballast = disk / "ballast"
        fill(ballast)
        refused = eventually(lambda: one_that_is_refused(http))
        assert_refused(refused, "storage_full")
        assert http.get(f"/v1/jobs/{job.id}").status_code == 200
        eventually(lambda: "storage_full" in (tmp_path / "service.log").read_text() or None)
        ballast.unlink()
        ended = client.wait_for_job(job.id, deadline=240)
        if ended.status == "failed":  # it had given up waiting for room, and could say so
            assert ended.error is not None
            assert ended.error.code == "storage_full"
            http.post(f"/v1/jobs/{job.id}/retry")
            ended = client.wait_for_job(job.id, deadline=240)
        assert ended.status == "succeeded", ended.error
        assert_whole(database, ended)


def test_a_read_only_file_is_read_and_predicted_from(tmp_path: Path) -> None:
    file = tmp_path / "trainyard.db"
    url = f"sqlite:///{file}"
    with running(url, tmp_path) as address, Client(address) as client:
        job = client.wait_for_job(client.create_job({**TINY, "model": "tiny"}).id)
        assert client.list_datasets().data  # the built-in ones come in when asked for
    with (
        mounted("--bind", str(file), str(file)),
        read_only(file),
        running(url, tmp_path) as address,
        httpx.Client(base_url=address, timeout=SECONDS) as http,
    ):
        unready = http.get("/readyz")
        assert (unready.status_code, unready.json()["status"]) == (503, "not_ready")
        assert "write-protected" in unready.json()["reason"]
        for method, path, arguments in reads_for(job.id):
            answer = http.request(method, path, **arguments)
            assert answer.status_code == 200, (path, answer.text)
        for method, path, arguments in writes_for(job.id):
            if method != "DELETE":  # what is not there is not found, as ever
                assert_refused(http.request(method, path, **arguments), "database_read_only")
        assert_refused(http.delete(f"/v1/jobs/{job.id}"), "database_read_only")
        remount(file, "rw")
        until(http, "/readyz", 200)
        accepted = http.post("/v1/jobs", json=TINY)
        assert accepted.status_code == 202, accepted.text
        path = f"/v1/jobs/{accepted.json()['id']}"
        waiting = {"Prefer": "wait=5"}
        eventually(lambda: http.get(path, headers=waiting).json()["status"] == "succeeded")


@contextmanager
def opened(file: Path) -> Generator[Database]:
    """Look into the service's file."""
    database = Database.open(f"sqlite:///{file}")
    try:
        yield database
    finally:
        database.dispose()


def reads_for(job: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Give the requests that write nothing."""
    for method, path, arguments in requests_for(job):
        if method == "GET" or path.endswith("predict"):
            yield method, path, arguments


def one_that_is_refused(http: httpx.Client) -> httpx.Response | None:
    """Accept jobs until no room is left for another one."""
    answer = http.post("/v1/jobs", json={**TINY, "priority": -1})
    return None if answer.status_code == 202 else answer


def free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def fill(ballast: Path) -> None:
    """Take the whole disk."""
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free_bytes(ballast.parent))
