"""The service is told to end: everybody gets an answer, no process stays, every job goes on."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from service.client import Client
from service.store.engine import Database
from tests.eventually import eventually
from tests.integration.conftest import running
from tests.integration.faults import SECONDS, assert_whole, processes_of, trains

LONG = {
    "dataset": "eating",
    "architecture": {"type": "rnn", "hidden_size": 16},
    "training": {"epochs": 4, "batch_size": 8},
}
HASTY = """
import sys
from service.cli import running, server
from service.settings import Settings

server.GRACE_SECONDS = 1
sys.exit(running.up(Settings(port=0)))
"""
BOUNDARY = "part"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="spec"\r\n\r\n'
    '{"name": "slow", "type": "text"}\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    "we cook rice\r\nwe cook soup\r\nwe share rice\r\n"
    f"\r\n--{BOUNDARY}--\r\n"
).encode()


class Started:
    """A service that a test ends itself."""

    def __init__(self, process: subprocess.Popen[str], url: str, log: Path, mark: str) -> None:
        self.process = process
        self.url = url
        self.log = log
        self.mark = mark

    def end(self) -> None:
        """Ask it to end; return when it has heard."""
        self.process.send_signal(signal.SIGTERM)
        eventually(lambda: "draining" in self.log.read_text() or None)


@contextmanager
def started(folder: Path, *command: str) -> Generator[Started]:
    """Start a service on a SQLite file in the folder; whatever is left of it at the end, goes."""
    mark = f"SHUTDOWN_TEST={uuid4().hex}"
    name, value = mark.split("=")
    environment = {key: val for key, val in os.environ.items() if not key.startswith("TRAINYARD_")}
    url = f"sqlite:///{folder}/trainyard.db"
    environment |= {
        name: value,
        "TRAINYARD_DATABASE_URL": url,
        "TRAINYARD_LEASE_SECONDS": "2",
        "TRAINYARD_NICE": "0",  # tests keep all cores busy: behind them jobs would starve
    }
    log = folder / "service.log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield Started(process, process.stdout.readline().strip(), log, mark)
        finally:
            for pid in processes_of(mark):
                os.kill(pid, signal.SIGKILL)


def begin(url: str, request: str, *headers: str, body: bytes = b"") -> socket.socket:
    """Send a request, or the beginning of one; whoever connects later is answered later."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=SECONDS)
    lines = [f"{request} HTTP/1.1", f"Host: {host}:{port}", *headers, "", ""]
    connection.sendall("\r\n".join(lines).encode() + body)
    return connection


def begin_upload(url: str, body: bytes) -> socket.socket:
    """Send the head of an upload and the beginning of its body."""
    form = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
    length = f"Content-Length: {len(FORM)}"
    return begin(url, "POST /v1/datasets", length, form, "X-Request-Id: slow", body=body)


def answer_of(connection: socket.socket) -> tuple[str, dict[str, str], bytes]:
    """Read until the server closes: status line, headers, body."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return status, {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}, body


def test_an_upload_that_stalls_is_told_that_the_service_ends(tmp_path: Path) -> None:
    with started(tmp_path, "-c", HASTY) as service, begin_upload(service.url, FORM[:100]) as upload:
        assert httpx.get(f"{service.url}/readyz").status_code == 200
        service.end()
        status, headers, body = answer_of(upload)
        assert service.process.wait(timeout=SECONDS) == 0

    assert status.startswith("HTTP/1.1 503")
    assert headers["content-type"] == "application/problem+json"
    assert (headers["retry-after"], headers["x-request-id"]) == ("5", "slow")
    assert json.loads(body)["code"] == "shutting_down"


def test_uploads_and_waits_in_flight_are_answered_and_the_job_goes_on(tmp_path: Path) -> None:
    with (
        started(tmp_path, "-m", "service", "up", "--port", "0") as service,
        Client(service.url) as client,
        ExitStack() as opened,
        begin_upload(service.url, FORM[:100]) as upload,
    ):
        job = client.create_job(LONG)
        trains(client, job)
        wait = f"GET /v1/jobs/{job.id}", "Prefer: wait=60"
        waiting = [opened.enter_context(begin(service.url, *wait)) for _ in range(4)]
        assert httpx.get(f"{service.url}/readyz").status_code == 200
        service.end()
        upload.sendall(FORM[100:])
        status, _, body = answer_of(upload)
        assert status.startswith("HTTP/1.1 201"), body
        assert {answer_of(each)[0] for each in waiting} == {"HTTP/1.1 200 OK"}
        assert service.process.wait(timeout=SECONDS) == 0
        eventually(lambda: not processes_of(service.mark) or None)

    url = f"sqlite:///{tmp_path}/trainyard.db"
    with running(url, tmp_path) as address, Client(address) as client:
        ended = client.wait_for_job(job.id, deadline=120)
    assert (ended.status, ended.attempt) == ("succeeded", 2)
    database = Database.open(url)
    assert_whole(database, ended)
    database.dispose()


@pytest.mark.slow
def test_the_second_signal_ends_training_too_and_the_job_goes_on(tmp_path: Path) -> None:
    large = {**LONG, "architecture": {"type": "rnn", "hidden_size": 512}}
    with (
        started(tmp_path, "-m", "service", "up", "--port", "0") as service,
        Client(service.url) as client,
    ):
        job = client.create_job({**large, "training": {"max_steps": 3, "batch_size": 512}})
        eventually(lambda: "begins in process" in service.log.read_text() or None)
        service.end()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=SECONDS) == 128 + signal.SIGTERM
        eventually(lambda: not processes_of(service.mark) or None)

    url = f"sqlite:///{tmp_path}/trainyard.db"
    with running(url, tmp_path) as address, Client(address) as client:
        ended = client.wait_for_job(job.id, deadline=120)
    assert (ended.status, ended.attempt) == ("succeeded", 2)
