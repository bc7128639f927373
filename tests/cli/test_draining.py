"""Signals to the service: the first drains, the second ends it at once, nothing is lost."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from service.cli.demo.service import ServiceProcess
from service.client import Client
from service.domain.jobs import Job
from tests.cli.conftest import LIMIT_SECONDS

IN_FLIGHT = """
import os, signal, threading
from fastapi import FastAPI
from service.cli.server import Server, draining, listen

app, told = FastAPI(), threading.Event()

@app.get("/")
def answer() -> str:
    os.kill(os.getpid(), signal.SIGTERM)
    told.wait()
    return "answered"

server = Server(app, listen("127.0.0.1", 0))

def drain() -> None:
    server.should_exit = True
    told.set()

with draining(drain):
    server.serve_until_told()
"""

NEVER_DRAINED = """
import signal
from service.cli.server import draining

with draining(lambda: print("draining", flush=True)):
    print("ready", flush=True)
    while True:
        signal.pause()
"""


def a_process(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_a_request_in_flight_is_answered() -> None:
    with a_process(IN_FLIGHT) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(url, timeout=LIMIT_SECONDS).json() == "answered"
        rest, _ = process.communicate(timeout=LIMIT_SECONDS)

    assert (process.returncode, rest) == (0, "")


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_the_process_at_once(
    first: signal.Signals, second: signal.Signals
) -> None:
    with a_process(NEVER_DRAINED) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(first)
        assert process.stdout.readline() == "draining\n"
        process.send_signal(second)
        assert process.wait(timeout=LIMIT_SECONDS) == 128 + second


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_running_job_goes_back_to_the_queue_and_on_at_the_next_start(
    tmp_path: Path, number: signal.Signals
) -> None:
    with ServiceProcess(tmp_path, TRAINYARD_NICE="0") as process:
        with Client(process.url) as client:
            body = {"dataset": "eating", "architecture": "rnn", "training": {"epochs": 100_000}}
            job_id = client.create_job(body).id
            before = _at_step(client, job_id, 10)
        process.send(number)
        assert process.wait() == 0

    with ServiceProcess(tmp_path, TRAINYARD_NICE="0") as process, Client(process.url) as client:
        after = _at_step(client, job_id, before.progress.step)
        assert after.attempt == 2
        assert client.list_checkpoints(job_id).data


def _at_step(client: Client, job_id: str, step: int) -> Job:
    """Wait until the job has come to a step."""
    for job in client.follow_job(job_id, every=0.05, deadline=LIMIT_SECONDS):
        if job.status == "running" and job.progress.step >= step:
            return job
    message = f"{job_id} ended before step {step}"
    raise AssertionError(message)
