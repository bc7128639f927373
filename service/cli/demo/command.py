"""`trainyard demo`, thin: what it shows is imported late, because other commands start at once."""

import typer


def demo() -> None:
    """Train and ask three models over HTTP; exits with 0 only if every step really worked."""
    from service.cli.demo import tour  # noqa: PLC0415  brings numpy and the shipped data

    raise typer.Exit(tour.run())
