"""The command `trainyard`. Importing it imports no torch, which would take seconds."""

from service.cli.app import main

__all__ = ["main"]
