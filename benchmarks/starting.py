"""What starts with what: a client command, the first fork of a worker, the first job of a service.

Processor time of processes, measured in turns, for machines are noisy; each beside what it imports,
imported as Python does by itself. The first job is one whose model has layers that torch begins
with normally distributed weights; it is compared with the second one.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.measuring import print_table
from benchmarks.running import trainyard
from service.client import Client

LIBRARIES = 'python -c "import httpx, pydantic, rich, typer"'
COMMAND = "trainyard jobs list --help"
PLAINLY = "the imports of the fork server, plainly"
FORK_SERVER = "the fork server, ready to fork"
SECOND, FIRST = "POST of the second job", "POST of the first job"
JOB = {"dataset": "bench", "architecture": "mlp", "training": {"max_steps": 1}}
ROWS = b"a,b,c\n" + b"\n".join(b"%d,%d,%d" % (n, n * 7 % 5, n * 3 % 11) for n in range(60))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds: int = parser.parse_args().rounds
    table("A client command", LIBRARIES, rounds, {
        LIBRARIES: lambda: process("import httpx, pydantic, rich, typer"),
        COMMAND: lambda: process("from service.cli import main; main()", "jobs", "list", "--help"),
    })  # fmt: skip
    table("The fork server of a worker", PLAINLY, rounds, {
        PLAINLY: lambda: process("import torch, torch._dynamo, torch.optim, service.worker.child"),
        FORK_SERVER: lambda: process("import service.worker.preload"),
    })  # fmt: skip
    posts = [first_and_second() for _ in range(rounds)]
    print_table(
        "POST /v1/jobs of an `mlp`, over HTTP",
        {SECOND: [second for _, second in posts], FIRST: [first for first, _ in posts]},
        unit="ms",
        baseline=SECOND,
    )


def table(
    title: str, baseline: str, rounds: int, measured: Mapping[str, Callable[[], float]]
) -> None:
    """Measure processor time in turns and print."""
    times: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(rounds):
        for name, measure in measured.items():
            times[name].append(1000 * measure())
    print_table(title, times, unit="ms of processor", baseline=baseline)


def process(code: str, *arguments: str) -> float:
    """Return the seconds of processor time that a new process takes; it ends without cleaning."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ending = f"try:\n {code}\nexcept SystemExit as end: assert not end.code\nimport os; os._exit(0)"
    subprocess.run(
        [sys.executable, "-c", ending, *arguments], check=True, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def first_and_second() -> tuple[float, float]:
    """Return the milliseconds that a new service takes to accept its first jobs."""
    with (
        tempfile.TemporaryDirectory() as folder,
        trainyard(Path(folder)) as service,
        Client(service.url) as client,
    ):
        spec = {"name": "bench", "type": "table", "target": "c"}
        client.add_dataset(spec, {"file": ROWS})
        while not client.system()["workers"]:  # it starts beside the first request otherwise
            time.sleep(0.05)
        return posting(client), posting(client)


def posting(client: Client) -> float:
    began = time.perf_counter()
    client.create_job(JOB)
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
