"""The service of the demonstration: a process, a free port and a folder of its own."""

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from service.cli.demo.proof import StepFailedError

START_SECONDS = 60
DRAIN_SECONDS = 60


class ServiceProcess:
    """`trainyard up` with a new SQLite file and `settings`. Its log goes to a file beside it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._settings = settings
        self.database = folder / "trainyard.db"
        self.log = folder / "service.log"
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        # The settings of whoever runs the demonstration shall not change what it shows.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("TRAINYARD_")
        }
        with self.log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "service", "up", "--port", "0"],
                cwd=self.database.parent,
                env={
                    **environment,
                    "TRAINYARD_DATABASE_URL": f"sqlite:///{self.database}",
                    **self._settings,
                },
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            self.url = self._first_line()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid if self._process else 0

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the service has ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for the end; return the exit code. One that does not come to it is killed."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(timeout=DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()

    def stop(self) -> int:
        """Ask the service to drain; return its exit code, 0 if it ended as it should."""
        self.send(signal.SIGTERM)
        return self.wait()

    def log_tail(self, lines: int = 30) -> str:
        """Return the end of the log."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _first_line(self) -> str:
        """Wait for the one line that says where the service listens."""
        assert self._process is not None and self._process.stdout is not None  # noqa: PT018, S101
        lines: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(
            target=_read_line, args=(self._process.stdout, lines), daemon=True
        )
        reader.start()
        try:
            line = lines.get(timeout=START_SECONDS).strip()
        except queue.Empty:
            line = ""
        if not line:
            message = "the service did not start"
            raise StepFailedError(message)
        return line


def _read_line(stream: IO[str], lines: "queue.Queue[str]") -> None:
    lines.put(stream.readline())
