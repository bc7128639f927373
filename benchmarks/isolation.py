"""Predictions over HTTP while others want the machine: a job that trains, a crowd of callers."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.load import Load, Measured, Sender, sender
from benchmarks.running import trainyard
from service.client import Client
from service.training.device import cpu_name

JOB = {
    "model": "clothes",
    "dataset": "fashion-mnist-mini",
    "architecture": "cnn",
    "training": {"max_steps": 50},
}
LONG_JOB = {
    "dataset": "fashion-mnist-mini",
    "architecture": "cnn",
    "training": {"max_steps": 100_000},
}
STEADY_RATE = 100.0


def main() -> None:
    """Measure and print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=4.0)
    options.add_argument("--only", choices=["training", "idle"])
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with trainyard(folder) as service, sender() as send:
            ours = service.url
            with Client(ours) as client:
                client.wait_for_job(client.create_job(JOB).id, deadline=300)
            body = one_image()
            target = f"{ours}/v1/models/clothes/predict"
            print(f"{datetime.now(UTC).date()}, {cpu_name()}, {os.cpu_count()} cores\n")
            if given.only in {None, "training"}:
                beside_training(send, ours, target, body, given.seconds)
            if given.only in {None, "idle"}:
                idle_connections(send, ours, target, body, given.seconds)


def beside_training(send: Sender, service: str, target: str, body: bytes, seconds: float) -> None:
    """Compare p99 at a steady rate with and without a job; and the job's speed."""
    steady = Load(target, body, 4, 2 * seconds, rate=STEADY_RATE)
    ratios: list[float] = []
    kept: list[float] = []
    with Client(service) as client:
        for _ in range(3):
            quiet = checked(send, steady)
            job = client.create_job(LONG_JOB)
            while client.get_job(job.id).progress.step < 5:
                time.sleep(0.2)
            alone = steps_per_second(client, job.id, seconds)
            began = client.get_job(job.id).progress.step, time.perf_counter()
            busy = checked(send, steady)
            done = client.get_job(job.id).progress.step - began[0]
            beside = done / (time.perf_counter() - began[1])
            client.cancel_job(job.id)
            client.wait_for_job(job.id, deadline=60)
            ratios.append(busy.p99 / quiet.p99)
            kept.append(beside / alone)
            print(f"  p99 {quiet.p99:.1f} ms alone, {busy.p99:.1f} ms beside training", flush=True)
    print(
        f"\n| at {STEADY_RATE:.0f} predictions/s while a job trains | |\n| --- | ---: |\n"
        f"| p99, ratio to without | {statistics.median(ratios):.2f} |\n"
        f"| share of its speed that the job keeps | {statistics.median(kept):.2f} |",
        flush=True,
    )


def steps_per_second(client: Client, job_id: str, seconds: float) -> float:
    """Measure how fast a job trains."""
    began, started = client.get_job(job_id).progress.step, time.perf_counter()
    time.sleep(2 * seconds)
    return (client.get_job(job_id).progress.step - began) / (time.perf_counter() - started)


def idle_connections(send: Sender, service: str, target: str, body: bytes, seconds: float) -> None:
    """Compare latencies with 1,000 idle connections and 200 waiting requests to those without."""
    load = Load(target, body, 8, seconds)
    quiet = checked(send, load)
    with Client(service) as client:
        job = client.create_job({**LONG_JOB, "training": {"max_steps": 5, "device": "mps"}})
        with crowd(service, job.id):
            crowded = checked(send, load)
        client.cancel_job(job.id)
    print(
        "\n| with 1,000 idle connections and 200 × Prefer: wait | ratio |\n| --- | ---: |\n"
        f"| requests/s | {crowded.per_second / quiet.per_second:.2f} |\n"
        f"| p99 | {crowded.p99 / quiet.p99:.2f} |",
        flush=True,
    )


@contextmanager
def crowd(service: str, job_id: str) -> Generator[None]:
    """Hold connections open in a process of their own."""
    script = Path(__file__).with_name("crowd.py")
    with subprocess.Popen(
        [sys.executable, str(script), service, job_id], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "there"
        try:
            yield
        finally:
            process.terminate()


def checked(send: Sender, load: Load) -> Measured:
    """Measure; every answer must be a good one."""
    measured = send(load)
    if measured.errors:
        message = f"{measured.errors} requests to {load.url} were refused"
        raise SystemExit(message)
    return measured


def one_image() -> bytes:
    """Write a picture of 28×28 grey pixels as the JSON of a request."""
    rows = [[(7 * row * column) % 256 for column in range(28)] for row in range(28)]
    return json.dumps({"inputs": [rows], "top_k": 5}).encode()


if __name__ == "__main__":
    main()
