"""The service, started as a user starts it, for the length of a block."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Service(NamedTuple):
    """A running service: where it answers, and its main process."""

    url: str
    pid: int


@contextmanager
def trainyard(
    folder: Path, *, command: str = "up", database_url: str | None = None, **settings: str
) -> Generator[Service]:
    """Run `trainyard up`, or `api`, on a free port; without a URL on a SQLite file in `folder`."""
    database_url = database_url or f"sqlite:///{folder}/trainyard.db"
    with (
        (folder / "service.log").open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", "service", command, "--port", "0"],
            env={**os.environ, "TRAINYARD_DATABASE_URL": database_url, **settings},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield Service(process.stdout.readline().strip(), process.pid)
        finally:
            process.terminate()
