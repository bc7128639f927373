"""Does the service grow? Its memory when idle, after 50 jobs, and after 100,000 predictions.

PSS (what a process would free by ending, with shared pages shared out), of `trainyard up` and all
its children. Predictions go to two models in turn, while the second is trained anew now and then.
"""

import argparse
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.isolation import JOB, one_image
from benchmarks.load import Load, measure
from benchmarks.running import trainyard
from service.client import Client
from service.training.device import cpu_name

WORDS = {"model": "eating", "dataset": "eating", "architecture": "rnn"}
JOBS = 50
PREDICTIONS = 100_000


def main() -> None:
    """Measure and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--predictions", type=int, default=PREDICTIONS)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, trainyard(Path(folder)) as service:
        grow(service.url, service.pid, given.predictions)


def grow(url: str, pid: int, predictions: int) -> None:
    """Use the service, and look at its memory in between."""
    print(f"{datetime.now(UTC).date()}, {cpu_name()}\n")
    print("| after | PSS of the service, MiB | with its children |\n| --- | ---: | ---: |")
    with Client(url) as client:
        show("the start", pid)
        train(client, JOB)
        train(client, WORDS)
        predict(url, 1_000)
        show("2 jobs and the first 1,000 predictions", pid)
        for _ in range(JOBS):
            train(client, WORDS)
        show(f"{JOBS} more jobs", pid)
        for part in range(2):
            predict(url, predictions // 2)
            show(f"{(part + 1) * predictions // 2:,} more predictions", pid)


def train(client: Client, job: Mapping[str, object]) -> None:
    """Run a small job to its end."""
    request = {**job, "training": {"max_steps": 20}}
    ended = client.wait_for_job(client.create_job(request).id, deadline=120)
    assert ended.status == "succeeded", ended.error


def predict(url: str, count: int) -> None:
    """Send so many predictions, half of them to each model."""
    text = b'{"inputs": ["I like eating"]}'
    sent = 0.0
    while sent < count:
        for model, body in (("clothes", one_image()), ("eating", text)):
            measured = measure(Load(f"{url}/v1/models/{model}/predict", body, 8, 5.0))
            assert measured.errors == 0
            sent += 5.0 * measured.per_second


def show(what: str, pid: int) -> None:
    """Print a row."""
    time.sleep(2)  # what was just used is given back
    family = [pss(each) for each in (pid, *descendants(pid))]
    print(f"| {what} | {family[0]:.0f} | {sum(family):.0f} |", flush=True)


def pss(pid: int) -> float:
    """Read the proportional set size of a process, in MiB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def descendants(pid: int) -> Iterator[int]:
    """List the children of a process, and theirs."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            yield int(child)
            yield from descendants(int(child))


if __name__ == "__main__":
    main()
