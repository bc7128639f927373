"""Several API processes for tests to kill: imported once and forked, so that they start quickly.

Run with their number; each prints `pid url` on one line when ready. All end with standard input.
"""

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import NamedTuple

from service.store.engine import Database


class Api(NamedTuple):
    """One API process."""

    url: str
    pid: int

    def kill(self) -> None:
        """End it as a power cut would."""
        os.kill(self.pid, signal.SIGKILL)


@contextmanager
def api_processes(database: Database, folder: Path, count: int) -> Generator[list[Api]]:
    """Run so many on one database until the end of the block."""
    url = database.engine.url.render_as_string(hide_password=False)
    environment = {**os.environ, "TRAINYARD_DATABASE_URL": url, "TRAINYARD_PORT": "0"}
    command = [sys.executable, "-m", __name__, str(count)]
    with (
        (folder / "api.log").open("ab") as log,
        Popen(command, env=environment, stdin=PIPE, stdout=PIPE, stderr=log, text=True) as parent,
    ):
        assert parent.stdin is not None
        assert parent.stdout is not None
        lines = [parent.stdout.readline().split() for _ in range(count)]
        try:
            yield [Api(url, int(pid)) for pid, url in lines]
        finally:
            parent.stdin.close()


def _run() -> None:
    from service.cli import running
    from service.settings import Settings

    children: list[int] = []
    for _ in range(int(sys.argv[1])):
        pid = os.fork()
        if pid == 0:
            sys.stdin.close()
            sys.stdout = os.fdopen(1, "w")  # writes whole lines, whatever PYTHONUNBUFFERED says
            sys.stdout.write(f"{os.getpid()} ")  # the server writes the rest of the line
            os._exit(running.api(Settings()))
        children.append(pid)
    sys.stdin.read()
    for pid in children:
        os.kill(pid, signal.SIGKILL)  # one that is dead is a zombie, and hears nothing
        os.waitpid(pid, 0)


if __name__ == "__main__":
    _run()
