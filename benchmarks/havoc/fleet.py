"""The processes that are harmed: an API and two workers, each started again when it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import httpx

ROLES = ("api", "worker-1", "worker-2")
WORKERS = ROLES[1:]
MARK = "TRAINYARD_CHAOS_MARK"
END_SECONDS = 90.0


class Fleet:
    """One API and two workers on a database. Whoever ends is started again by `tend`."""

    def __init__(self, database_url: str, folder: Path, *, lease_seconds: float) -> None:
        self.mark = uuid4().hex
        self.log = folder / "processes.log"
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._settings = {
            "TRAINYARD_DATABASE_URL": database_url,
            "TRAINYARD_LEASE_SECONDS": str(lease_seconds),
            "TRAINYARD_THREADS": "2",
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Migrate, start everything, wait until the API answers."""
        self._start("migrate").wait(timeout=END_SECONDS)
        self.tend()
        self.wait_for_api()

    def tend(self) -> None:
        """Start again whatever has ended, as a service manager does."""
        for role in ROLES:
            process = self._processes.get(role)
            if process is None or process.poll() is not None:
                self._processes[role] = self._start(role)

    def wait_for_api(self) -> None:
        """Return when the API is ready."""
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            self.tend()
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=10).is_success:
                    return
            time.sleep(0.1)
        message = f"the API does not come up; see {self.log}"
        raise TimeoutError(message)

    def end(self) -> list[int]:
        """End everything as an operator does; return the processes that are left."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(timeout=END_SECONDS)
        deadline = time.monotonic() + END_SECONDS
        while self.pids() and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.pids()

    def destroy(self) -> None:
        """Leave nothing behind, whatever happened."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        for pid in self.pids():
            signal_to(pid, signal.SIGKILL)

    def main_pid(self, role: str) -> int:
        """Return the process that was started for a role."""
        return self._processes[role].pid

    def forkserver(self, worker: str) -> int | None:
        """Find the fork server of a worker."""
        return next(self._below(worker, self.main_pid(worker)), None)

    def trainers(self, worker: str) -> list[int]:
        """List the processes in which a worker's jobs train."""
        server = self.forkserver(worker)
        return [] if server is None else list(self._below(worker, server))

    def pids(self, role: str | None = None) -> list[int]:
        """List the living processes of a role, or of all."""
        mark = f"{MARK}={self.mark}:{role or ''}".encode()
        return [pid for pid in _processes() if mark in _environment(pid)]

    def _below(self, role: str, parent: int) -> Iterator[int]:
        for pid in self.pids(role):
            if _parent(pid) == parent and b"forkserver" in _command_line(pid):
                yield pid

    def _start(self, role: str) -> "subprocess.Popen[bytes]":
        arguments = ["api", "--port", str(self.port)] if role == "api" else [role.partition("-")[0]]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "service", *arguments],
                cwd=Path(__file__).parents[2],
                env={**os.environ, **self._settings, MARK: f"{self.mark}:{role}"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@contextmanager
def fleet(database_url: str, folder: Path, *, lease_seconds: float) -> Generator[Fleet]:
    """Run a fleet for the length of the block."""
    made = Fleet(database_url, folder, lease_seconds=lease_seconds)
    try:
        made.start()
        yield made
    finally:
        made.destroy()


def signal_to(pid: int, number: signal.Signals) -> bool:
    """Send a signal; False when the process has just ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _free_port() -> int:
    """Pick a port that an API may come back to, again and again."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _processes() -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            yield int(folder.name)


def _environment(pid: int) -> bytes:
    return _read(pid, "environ")


def _command_line(pid: int) -> bytes:
    return _read(pid, "cmdline")


def _parent(pid: int) -> int:
    # `pid (name) state ppid …`, and the name may hold anything.
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # it has just ended
        return b""
