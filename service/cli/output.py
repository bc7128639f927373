"""What people read: results on stdout, problems in red on stderr; numbers and sizes in words."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from service.domain.jobs import Job

STATUS_STYLES = {
    "queued": "cyan",
    "running": "blue",
    "paused": "yellow",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "magenta",
}

PIPE_WIDTH = 200  # what reads a pipe wants one line a row

# No highlighting: rich would colour digits and paths inside names and prompts, and make a tram of
# the `:train:` in an API key's entry.
results = Console(highlight=False, emoji=False)
messages = Console(stderr=True, highlight=False, emoji=False)


def print_json(answer: BaseModel) -> None:
    """Print an answer as one JSON document, uncoloured and unwrapped."""
    results.print(answer.model_dump_json(indent=2), markup=False, soft_wrap=True)


def print_json_line(answer: BaseModel) -> None:
    """Print an answer as JSON on one line, for what comes one after the other."""
    results.print(answer.model_dump_json(), markup=False, soft_wrap=True)


def print_error(message: str) -> None:
    """Say one sentence in red on stderr."""
    messages.print(f"[bold red]Error:[/] [red]{escape(message)}[/]", soft_wrap=True)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, unbroken: int = 1
) -> None:
    """Print a plain table. The first `unbroken` columns stay on one line: ids are copied."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=index < unbroken)
    for row in rows:
        # A name may hold square brackets: as Text they are not taken for markup.
        table.add_row(*[Text(cell) if isinstance(cell, str) else cell for cell in row])
    results.print(table, width=None if results.is_terminal else PIPE_WIDTH)


def print_fields(fields: Sequence[tuple[str, str | Text]]) -> None:
    """Print names and values below each other."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields:
        table.add_row(Text(name), Text(value) if isinstance(value, str) else value)
    results.print(table)


def status_text(job: Job) -> Text:
    """Return the status in its colour, with its reason."""
    reason = f" ({job.status_reason})" if job.status_reason else ""
    return Text(job.status + reason, style=STATUS_STYLES[job.status])


def metrics_text(metrics: Mapping[str, float | None]) -> str:
    """Return metrics as `name value`, comma-separated."""
    return ", ".join(f"{name} {number(value)}" for name, value in metrics.items())


def number(value: float | None) -> str:
    """Write a metric with four significant digits."""
    return "-" if value is None else f"{value:.4g}"


def size(count: float) -> str:
    """Write a number of bytes."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def duration(seconds: float | None) -> str:
    """Write a duration as minutes and seconds, with hours and days where there are any."""
    return "-:--" if seconds is None else str(timedelta(seconds=round(seconds))).removeprefix("0:")


def age(moment: datetime) -> str:
    """Say how long ago a moment was."""
    now = datetime.now(tz=UTC)  # noqa: TID251  for people, whose own clock they go by
    seconds = (now - moment).total_seconds()
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(0, seconds):.0f} s ago"
