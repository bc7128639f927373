"""`trainyard jobs events`: what happened to a job, and what happens."""

from collections.abc import Iterator
from typing import Annotated

import typer

from service.cli import options, output
from service.cli.clients import connect
from service.client import Client
from service.domain.events import Event, EventType

PAGE = 100


def show_events(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="Id of the job, job_….")],
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")
    ] = False,
    event_type: Annotated[
        EventType | None, typer.Option("--type", help="Only events of this type.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Play a job that has ended again, so many times as fast.")
    ] = None,
    url: options.Url = options.DEFAULT_URL,
    json: options.Json = False,
) -> None:
    """Show what happened to a job, in order."""
    with connect(url) as client:
        streamed = follow or speed is not None
        events = (
            client.events(job_id, speed=speed) if streamed else _pages(client, job_id, event_type)
        )
        for event in events:
            if event_type not in {None, event.type}:
                continue
            if json:
                output.print_json_line(event)
            else:
                output.results.print(_line(event), markup=False, soft_wrap=True)


def _pages(client: Client, job_id: str, event_type: EventType | None) -> Iterator[Event]:
    after = 0
    while True:
        page = client.list_events(job_id, after=after, event_type=event_type, limit=PAGE)
        yield from page.data
        if not page.has_more:
            return
        after = page.data[-1].seq


def _line(event: Event) -> str:
    """Write an event in one line: when, what, and the plain values of its data."""
    said = ", ".join(
        f"{name} {value}"
        for name, value in event.data.items()
        if value is not None and not isinstance(value, dict | list)
    )
    return f"{event.created_at:%H:%M:%S} {event.seq:>4} {event.type:<10} {said}".rstrip()
