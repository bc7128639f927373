"""`trainyard jobs doctor`: what the doctor found while a job trained, and what to try."""

import json as json_module
import shlex
from collections.abc import Iterator, Mapping
from typing import Annotated, cast

import typer
from pydantic import JsonValue
from rich.console import Console
from rich.markup import escape

from service.cli import options, output
from service.cli.clients import connect
from service.client import Client, UnavailableError, UnreachableError
from service.domain.events import Event
from service.domain.findings import TrainingFinding

PAGE = 100


def show_findings(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="Id of the job, job_….")],
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Show what training showed to be wrong, and with which fork to go on."""
    with connect(url) as client:
        page = client.list_events(job_id, event_type="finding", limit=PAGE)
        job = client.get_job(job_id)
    if json:
        output.print_json(page)
        return
    for event in page.data:
        _print(event, output.results)
    if not page.data:
        so_far = "" if job.status in {"succeeded", "failed"} else f" so far; it is {job.status}"
        output.results.print(f"Nothing was found{so_far}.")


class News:
    """Prints the findings of a job as they come, each once."""

    def __init__(self, client: Client, console: Console) -> None:
        self._client, self._console = client, console
        self._seq = 0

    def print(self, job_id: str) -> None:
        """Print what is new; whoever follows the job decides how long to wait for the service."""
        try:
            page = self._client.list_events(
                job_id, event_type="finding", after=self._seq, limit=PAGE
            )
        except (UnreachableError, UnavailableError):
            return
        for event in page.data:
            _print(event, self._console)
            self._seq = event.seq


def _print(event: Event, console: Console) -> None:
    """Say what was found, and the command to try."""
    finding = TrainingFinding.model_validate(event.data)
    console.print(f"[yellow]{finding.code}[/] {escape(finding.message)}", soft_wrap=True)
    if finding.patch is not None:
        command = fork_command(event.job, finding.patch)
        console.print(f"  {command}", markup=False, soft_wrap=True)


def fork_command(job_id: str, patch: Mapping[str, JsonValue]) -> str:
    """Write the command that forks a job with a patch, as a shell reads it."""
    settings = [f"--set {shlex.quote(f'{path}={value}')}" for path, value in _settings(patch, "")]
    return " ".join(["trainyard jobs fork", job_id, *settings])


def _settings(patch: Mapping[str, JsonValue], path: str) -> Iterator[tuple[str, str]]:
    for name, value in patch.items():
        if isinstance(value, dict):
            yield from _settings(cast("dict[str, JsonValue]", value), f"{path}{name}.")
        else:
            text = value if isinstance(value, str) else json_module.dumps(value)
            yield f"{path}{name}", text
