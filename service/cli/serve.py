"""`trainyard up`, `api`, `worker`, `migrate`: the commands that run the service itself.

They import the settings, `service.cli.running` and `working` late: client commands shall start at
once.
"""
# ruff: noqa: PLC0415

from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from service.cli import output
from service.importing import without_collections

if TYPE_CHECKING:
    from service.settings import Settings

Host = Annotated[
    str | None,
    typer.Option("--host", help="Address to listen on; beyond loopback only with API keys."),
]
Port = Annotated[int | None, typer.Option("--port", help="Port to listen on; 0 picks a free one.")]
DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help="sqlite:///file or postgresql://…")
]
Insecure = Annotated[
    bool | None,
    typer.Option("--insecure", help="Listen beyond loopback without keys: anybody may do all."),
]
USAGE = 2


def up(
    host: Host = None,
    port: Port = None,
    database_url: DatabaseUrl = None,
    insecure: Insecure = None,
) -> None:
    """Run the API and one worker. Prints the URL when ready; SIGTERM and Ctrl-C drain."""
    settings = _listening(host=host, port=port, database_url=database_url, insecure=insecure)
    with without_collections():
        from service.cli import running

    raise typer.Exit(running.up(settings))


def api(
    host: Host = None,
    port: Port = None,
    database_url: DatabaseUrl = None,
    insecure: Insecure = None,
    processes: Annotated[
        int, typer.Option("--processes", min=1, max=64, help="Servers on the port, for more cores.")
    ] = 1,
) -> None:
    """Run the API alone; `trainyard worker` trains. Needs a migrated database."""
    settings = _listening(host=host, port=port, database_url=database_url, insecure=insecure)
    with without_collections():
        from service.cli import processes as several
        from service.cli import running

    raise typer.Exit(several.api(settings, processes) if processes > 1 else running.api(settings))


def worker(database_url: DatabaseUrl = None) -> None:
    """Run a worker alone. Needs a migrated database."""
    settings = _settings(database_url=database_url)
    from service.cli import working

    raise typer.Exit(working.worker(settings))


def migrate(database_url: DatabaseUrl = None) -> None:
    """Bring the database to this version's schema. Safe to run at any time, also by several."""
    settings = _settings(database_url=database_url)
    from service.cli import working

    working.migrate(settings)


COMMANDS = {"up": up, "api": api, "worker": worker, "migrate": migrate}


def new_app() -> typer.Typer:
    """Make the command with what runs the service; it starts sooner without the client's."""
    app = typer.Typer(
        name="trainyard",
        help="Train PyTorch models over HTTP and ask them: one process, one database.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, command in COMMANDS.items():
        app.command(name)(command)
    return app


def _listening(**given: str | int | None) -> "Settings":
    """Make the settings of what listens: strangers must not get in because nobody thought of it."""
    settings = _settings(**given)
    if settings.open_to_strangers:
        output.print_error(
            f"Without keys anybody who reaches {settings.host} could train here. Set "
            "TRAINYARD_API_KEYS (`trainyard keys new` makes a key), listen on 127.0.0.1, or say "
            "--insecure."
        )
        raise typer.Exit(USAGE)
    return settings


def _settings(**given: str | int | None) -> "Settings":
    with without_collections():
        from service.settings import Settings, describe_errors

    try:
        return Settings.model_validate(
            {name: value for name, value in given.items() if value is not None}
        )
    except ValidationError as error:
        output.print_error(describe_errors(error))
        raise typer.Exit(USAGE) from error
