"""The log on stderr: lines of requests are written some at a time.

Each write is a call of the system, after which a thread must get the interpreter back: beside a
model that computes, this takes longer than much of what a request needs.
"""

import asyncio
import logging
import sys
from contextlib import suppress
from typing import TextIO

SECONDS = 0.05
"""So late may a line be."""


class GatheringHandler(logging.StreamHandler[TextIO]):
    """Writes what an event loop says of its requests a moment later, all else at once."""

    def __init__(self, requests: str) -> None:
        """`requests` is the name of the logger that has a line for every request."""
        super().__init__(sys.stderr)
        self._requests = requests
        self._gathered: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Take or write a line."""
        loop = _running_loop() if record.name == self._requests else None
        if loop is None:
            self.flush()
            super().emit(record)
            return
        try:
            self._gathered.append(self.format(record))
        except Exception:  # noqa: BLE001  as in the standard library: a log breaks nobody's work
            self.handleError(record)
        if self._timer is None:
            self._timer = loop.call_later(SECONDS, self.flush)

    def flush(self) -> None:
        """Write what has gathered. A full disk, or a pipe that nobody reads, stops nobody."""
        self.acquire()
        try:
            gathered, self._gathered, self._timer = self._gathered, [], None
            with suppress(OSError, ValueError):
                if gathered:
                    self.stream.write("".join(f"{line}\n" for line in gathered))
                super().flush()
        finally:
            self.release()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
