"""Train every recipe as the service does, and compare with what the recipe says it comes to."""

import argparse
import sys
import tempfile
import time
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
            came_to, expected = _outcome(job), _expectation(recipe)
            kept = is_kept(recipe, job)
            wrong += not kept
            mark = "" if kept else "not kept"
            print(f"| {recipe.name} | {came_to} | {expected} | {took:.0f} | {mark} |", flush=True)
    return int(wrong > 0)


def is_kept(recipe: Recipe, job: Job) -> bool:
    """Tell whether a job came to what its recipe says."""
    expected = recipe.expected
    if job.status != expected.status or (job.error and job.error.code) != expected.error:
        return False
    return expected.agrees({} if job.result is None else job.result.metrics)


def _outcome(job: Job) -> str:
    if job.error is not None:
        return job.error.code
    metrics = {} if job.result is None else job.result.metrics
    return ", ".join(f"{name} {value:.4f}" for name, value in metrics.items() if value is not None)


def _expectation(recipe: Recipe) -> str:
    if recipe.expected.error is not None:
        return recipe.expected.error
    return ", ".join(f"{name} {value:g}" for name, value in recipe.expected.metrics.items())


if __name__ == "__main__":
    sys.exit(main())
