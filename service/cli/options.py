"""What several commands have in common, declared once."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from service.client.client import DEFAULT_URL

Url = Annotated[
    str,
    typer.Option("--url", envvar="TRAINYARD_URL", help="Where the service runs."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the service's JSON, for scripts.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100, help="How many at most.")]
After = Annotated[
    str | None, typer.Option("--after", metavar="ID", help="Go on behind this one: the next page.")
]
Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Any field of the job, as in --set architecture.hidden_size=128; can be repeated.",
    ),
]

__all__ = ["DEFAULT_URL", "After", "Json", "Limit", "ListByDefault", "Setting", "Url"]


class ListByDefault(TyperGroup):
    """A group of commands that lists when none is named: `jobs --json` is `jobs list --json`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` before options that come without a command."""
        names_none = not args or (args[0].startswith("-") and args[0] not in {"-h", "--help"})
        return super().parse_args(ctx, ["list", *args] if names_none else args)
