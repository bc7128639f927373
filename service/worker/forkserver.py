"""Processes of a worker: forked from a warm server, told by pipe, known to be gone by their pid.

The server is multiprocessing's; it starts with the first child, again after it died, and ends when
the worker is gone, however that ended.
"""

import logging
import multiprocessing
import os
import select
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

from service.domain.ports import Command

logger = logging.getLogger(__name__)

PRELOAD = "service.worker.preload"
BLOCKED = {signal.SIGINT, signal.SIGTERM}

_starting = threading.Lock()


class CannotStart(Exception):  # noqa: N818
    """The fork server could not make a process; it is started anew for the next one."""


class Child:
    """A process of this worker."""

    def __init__(self, process: BaseProcess, orders: "Connection[Command | None]") -> None:
        self._process = process
        self._orders = orders
        self.pid = process.pid or 0
        self._pidfd = _open_pidfd(self.pid)

    @property
    def sentinel(self) -> int:
        """Becomes readable when the process, or the fork server, ends."""
        return self._process.sentinel

    def exit_code(self) -> int | None:
        """Return how the process ended (negative: the signal), None while it runs.

        255 is also what multiprocessing says when it lost the fork server: ask `is_gone` too.
        """
        return self._process.exitcode

    def is_gone(self) -> bool:
        """Tell whether the process has really ended, whatever became of the fork server."""
        if self._pidfd is not None:
            return bool(select.select([self._pidfd], [], [], 0)[0])
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def kill(self) -> None:
        """End the process at once. It may take a moment to be gone."""
        with suppress(ProcessLookupError):
            if self._pidfd is None:
                os.kill(self.pid, signal.SIGKILL)
            else:  # unlike a pid, it never means another process
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def tell(self, command: Command | None) -> None:
        """Send an order; None takes the last one back. A process that ended hears nothing."""
        with suppress(OSError):
            self._orders.send(command)

    def close(self) -> None:
        """Give back what this process holds of a child that is gone."""
        self._orders.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        with suppress(ValueError):
            self._process.close()


def start(module: str, function: str, *arguments: Any, name: str) -> Child:
    """Run `module.function(*arguments, orders)` in a new process. Raises CannotStart.

    It is named, not passed: the modules of children import torch, a worker never does. Blocks until
    the process exists: seconds where the server has to be started first.
    """
    context = multiprocessing.get_context("forkserver")
    inbox, outbox = context.Pipe(duplex=False)
    process = context.Process(
        target=call, args=(module, function, *arguments, inbox), name=name, daemon=True
    )
    try:
        with _starting, _signals_blocked(), _without_main_module():
            context.set_forkserver_preload([PRELOAD])
            process.start()
    except (OSError, EOFError) as error:
        outbox.close()
        raise CannotStart(str(error) or type(error).__name__) from error
    finally:
        inbox.close()
    return Child(process, outbox)


def call(module: str, function: str, *arguments: Any) -> None:
    """Call a function by its name: the target of every child."""
    getattr(import_module(module), function)(*arguments)


def exit_in_words(exit_code: int) -> str:
    """Say how a training process ended that should have ended its job first."""
    if exit_code >= 0:
        return f"The training process ended with exit code {exit_code} before the job was done."
    number = -exit_code
    names = {int(known): known.name for known in signal.Signals}
    message = f"The training process was killed by signal {number} ({names.get(number, 'unknown')})"
    if number == signal.SIGKILL:
        message += "; often the kernel does that when memory runs out"
    return message + "."


def _open_pidfd(pid: int) -> int | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:  # it has ended and been waited for: its pid says so too
        return None


@contextmanager
def _signals_blocked() -> Generator[None]:
    """Let a new fork server begin with signals blocked, until `preload` has it ignore them."""
    # Whoever starts it unblocks them (Python 3.11 to 3.13): it must run before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_main_module() -> Generator[None]:
    """Hide `__main__`: multiprocessing would import it in every child, the whole command line.

    What children run is importable by name, so none of them needs it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
