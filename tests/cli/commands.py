"""Commands for tests to run: imported once and forked, for they start quicker than they import.

What a process of its own does differently, from `python -m service` to its exit code, is tested in
test_start and wherever tests start one.
"""

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, CompletedProcess, Popen
from tempfile import TemporaryDirectory


class Commands:
    """Runs one command after the other, each in a process of its own."""

    def __init__(self, parent: "Popen[str]", folder: Path) -> None:
        self._parent = parent
        self._out, self._err = folder / "out", folder / "err"

    def run(
        self, arguments: tuple[str, ...], folder: Path, **environment: str
    ) -> CompletedProcess[str]:
        """Run `trainyard` with the arguments, in the folder and with nothing else around it."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        order = [arguments, str(folder), environment, str(self._out), str(self._err)]
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        code = int(self._parent.stdout.readline())
        out, err = (file.read_text(encoding="utf-8") for file in (self._out, self._err))
        return CompletedProcess(arguments, code, out, err)


@contextmanager
def commands() -> Generator[Commands]:
    """Have commands ready until the end of the block."""
    command = [sys.executable, "-m", __name__]
    with (
        TemporaryDirectory() as folder,
        Popen(command, env={"COLUMNS": "160"}, stdin=PIPE, stdout=PIPE, text=True) as parent,
    ):
        try:
            yield Commands(parent, Path(folder))
        finally:
            parent.kill()  # it would wait for a command that a test has given up


def _serve() -> None:
    """Fork for each order that comes in; return in the child, and when there are no more."""
    for line in sys.stdin:
        arguments, folder, environment, out, err = json.loads(line)
        child = os.fork()
        if child == 0:
            os.chdir(folder)
            os.environ |= environment
            _point(0, os.devnull, os.O_RDONLY)
            _point(1, out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            _point(2, err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            sys.argv = ["trainyard", *arguments]
            return
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    sys.argv = []


def _point(number: int, file: str, flags: int) -> None:
    opened = os.open(file, flags, 0o600)
    os.dup2(opened, number)
    os.close(opened)


if __name__ == "__main__":
    from service.cli import app, main

    del app  # all that commands need is imported before there are any
    _serve()
    if sys.argv:
        main()
