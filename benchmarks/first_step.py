"""How long from POSTing a job to its first training step, with a running service?

Measured in turns with `python -c "import torch"`, which is what a process per job that is not
forked from a warm server would have to wait for at the least. Training runs at the lowest priority:
on a machine that is busy with other things it waits for them.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import print_table
from benchmarks.running import trainyard
from service.client import Client

TEXT = b"I like eating rice\nyou cook bread\nwe buy apples\nthey share soup\n" * 8
JOB = {"dataset": "bench", "architecture": "rnn", "training": {"max_steps": 1}}
DEADLINE_SECONDS = 120
IMPORT = 'python -c "import torch"'
OURS = "POST → the first step's loss is readable"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds: int = parser.parse_args().rounds
    with (
        tempfile.TemporaryDirectory() as folder,
        trainyard(Path(folder)) as service,
        Client(service.url) as client,
    ):
        client.add_dataset({"name": "bench", "type": "text"}, {"file": TEXT})
        first_step(client)  # the first fork pays for pages that later ones share
        ours: list[float] = []
        imports: list[float] = []
        for _ in range(rounds):
            ours.append(first_step(client) * 1000)
            imports.append(import_torch() * 1000)
    print_table(
        "From POST /v1/jobs to the first training step, over HTTP, SQLite",
        {IMPORT: imports, OURS: ours},
        unit="ms",
        baseline=IMPORT,
        extra={OURS: f"{min(ours):.0f} to {max(ours):.0f}"},
    )


def first_step(client: Client) -> float:
    """POST a job of one step; return the seconds until the step's loss can be read over HTTP.

    That is later than the step itself, by the checkpoint that is written with it.
    """
    began = time.perf_counter()
    job = client.create_job(JOB)
    while time.perf_counter() - began < DEADLINE_SECONDS:
        if client.get_metrics(job.id, names=["train_loss"]).series:
            return time.perf_counter() - began
        time.sleep(0.005)
    raise TimeoutError(job.id)


def import_torch() -> float:
    """Return the seconds that a new process takes to import torch."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
