"""Train every recipe as the service does, and compare with what the recipe says it comes to."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.running import trainyard
from service.client import Client
from service.domain.jobs import Job
from service.domain.recipes import Recipe
from service.recipes import recipes
from service.training.device import cpu_name


def main() -> int:
    """Run the named recipes, or all; end with 1 if one comes to something else."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("names", nargs="*", choices=[*recipes(), []])
    given = options.parse_args()
    print(f"{datetime.now(UTC).date()}, {cpu_name()}\n")
    print("| recipe | came to | expected | s | |\n| --- | --- | --- | ---: | --- |")
    wrong = 0
    with (
        tempfile.TemporaryDirectory() as name,
        trainyard(Path(name)) as service,
        Client(service.url) as client,
    ):
        for recipe in [recipes()[name] for name in given.names] or recipes().values():
            began = time.monotonic()
            job = client.create_job(recipe.request)
            job = client.wait_for_job(job.id, deadline=3600)
            took = time.monotonic() - began
            found = _findings(client, job)
            came_to, expected = _outcome(job, found), _expectation(recipe)
            kept = is_kept(recipe, job, found)
            wrong += not kept
            mark = "" if kept else "not kept"
            print(f"| {recipe.name} | {came_to} | {expected} | {took:.0f} | {mark} |", flush=True)
    return int(wrong > 0)


def is_kept(recipe: Recipe, job: Job, found: Sequence[str]) -> bool:
    """Tell whether a job came to what its recipe says, and the doctor found that and no more."""
    expected = recipe.expected
    if set(found) != set(expected.findings):
        return False
    if job.status != expected.status or (job.error and job.error.code) != expected.error:
        return False
    return expected.agrees({} if job.result is None else job.result.metrics)


def _findings(client: Client, job: Job) -> list[str]:
    events = client.list_events(job.id, event_type="finding", limit=100).data
    return [str(event.data["code"]) for event in events]


def _outcome(job: Job, found: Sequence[str]) -> str:
    if job.error is not None:
        return ", ".join([job.error.code, *found])
    metrics = {} if job.result is None else job.result.metrics
    reached = [f"{name} {value:.4f}" for name, value in metrics.items() if value is not None]
    return ", ".join([*reached, *found])


def _expectation(recipe: Recipe) -> str:
    expected = recipe.expected
    if expected.error is not None:
        return ", ".join([expected.error, *expected.findings])
    metrics = [f"{name} {value:g}" for name, value in expected.metrics.items()]
    return ", ".join([*metrics, *expected.findings])


if __name__ == "__main__":
    sys.exit(main())
