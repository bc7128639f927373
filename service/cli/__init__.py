"""The command `trainyard`. Importing it imports no torch, which would take seconds."""
# ruff: noqa: PLC0415

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command that `sys.argv` names."""
    from service.importing import without_collections

    with without_collections():
        from service.cli import serve

    if sys.argv[1:] and sys.argv[1] in serve.COMMANDS:
        serve.new_app()()
        return
    with without_collections():
        from service.cli import app

    app.main()
