"""`trainyard keys`: make keys for a service that others than this machine may call."""

import secrets
from typing import Annotated

import typer

from service.cli import options, output
from service.domain.base import Outgoing
from service.domain.keys import SCOPES, digest, parse_keys

KEY_BYTES = 32


class NewKey(Outgoing):
    """A key as `--json` prints it."""

    name: str
    scope: str
    key: str
    entry: str


app = typer.Typer(help="Keys for callers of the service.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Keep `new` a command of its own, though it is the only one."""


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Who the key is for; the log names it.")] = "me",
    *,
    scope: Annotated[str, typer.Option(help=f"What it may do: {', '.join(SCOPES)}.")] = "train",
    json: options.Json = False,
) -> None:
    """Make a key. The service needs the entry with its hash only; the caller keeps the key."""
    key = f"ty_{secrets.token_urlsafe(KEY_BYTES)}"
    entry = f"{name}:{scope}:sha256:{digest(key).hex()}"
    try:
        parse_keys(entry)
    except ValueError as error:
        raise typer.BadParameter(str(error).replace("entry 1", "the key")) from error
    if json:
        output.print_json(NewKey(name=name, scope=scope, key=key, entry=entry))
        return
    output.results.print(f"key    {key}", markup=False, soft_wrap=True)
    output.results.print(f"entry  {entry}", markup=False, soft_wrap=True)
    output.messages.print(
        "The caller sends the key (TRAINYARD_API_KEY); it is shown only now. The service knows it "
        "when the entry is in TRAINYARD_API_KEYS; several entries stand behind each other with "
        "commas.",
        markup=False,
    )
