"""`trainyard api --processes N`: several servers behind one port, for more cores.

Each has a socket of its own on the port (SO_REUSEPORT), and the kernel deals connections out. They
are forked when everything is imported, so that they share what that takes. What one of them keeps
in memory, such as sessions, the others do not know.
"""

import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import NamedTuple

from service.cli import running
from service.cli.opening import is_migrated, opened
from service.cli.server import announce, draining, listen, refuse_address, url_of
from service.settings import Settings

log = logging.getLogger("trainyard")

PAUSE_SECONDS = 1.0
"""Between two attempts to replace a process that ended before it listened."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Replica(NamedTuple):
    """One server, and the end of a pipe that hears when it listens."""

    process: BaseProcess
    ready: "Connection[None]"

    def comes_up(self) -> bool:
        """Wait until it listens; tell whether it has not ended before."""
        connection.wait([self.ready, self.process.sentinel])
        try:
            self.ready.recv()
        except EOFError:
            return False
        return True


def api(settings: Settings, count: int) -> int:
    """Run so many API processes until told to stop. One that dies is replaced."""
    with opened(settings) as database:
        if not is_migrated(database):
            return 1
    try:
        with listen(settings.host, settings.port) as alone:  # nobody else has the port
            port: int = alone.getsockname()[1]
        held = listen(settings.host, port, shared=True)  # it stays ours while replicas come and go
    except OSError as error:
        refuse_address(error)
        return 1
    gc.freeze()  # the collector would write to pages that all replicas share
    with held:
        settings = settings.model_copy(update={"port": port})
        return _Replicas(settings, count).run(url_of(held))


class _Replicas:
    def __init__(self, settings: Settings, count: int) -> None:
        # Elsewhere than on Linux, libraries of the system do not all survive a fork.
        kind = "fork" if sys.platform == "linux" else "spawn"
        self._context = multiprocessing.get_context(kind)
        self._settings = settings
        self._count = count
        self._running: list[_Replica] = []
        self._told = False

    def run(self, url: str) -> int:
        """Serve until told to stop."""
        with draining(self._drain):
            while len(self._running) < self._count and not self._told:
                self._start()
            came_up = all(replica.comes_up() for replica in self._running)
            if came_up and not self._told:
                announce(url)
                self._keep_up()
            if not self._told:
                self._drain()
            for replica in self._running:
                replica.process.join()
        good = {0, -signal.SIGTERM}  # who had not begun to listen for it
        ended_well = all(replica.process.exitcode in good for replica in self._running)
        return 0 if (came_up or self._told) and ended_well else 1

    def _keep_up(self) -> None:
        """Replace what dies, until told to stop."""
        while not self._told:
            if len(self._running) < self._count and not self._start().comes_up():
                time.sleep(PAUSE_SECONDS)  # what ended it will be there for a while
            ended = connection.wait([each.process.sentinel for each in self._running])
            for replica in [each for each in self._running if each.process.sentinel in ended]:
                if self._told:
                    return
                replica.process.join()
                self._running.remove(replica)
                log.warning(
                    "API process %s ended with %s: another one takes its place",
                    replica.process.pid,
                    replica.process.exitcode,
                )

    def _start(self) -> _Replica:
        hears, tells = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_serve, args=(self._settings, self._count, tells), name="api"
        )
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # the handlers are not for it
        try:
            process.start()
            # Whoever is told to drain from now on tells this one, too.
            self._running.append(_Replica(process, hears))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        tells.close()
        return self._running[-1]

    def _drain(self) -> None:
        self._told = True
        for replica in self._running:
            replica.process.terminate()


def _serve(settings: Settings, count: int, ready: "Connection[None]") -> None:
    """Be one of the processes."""
    os.setpgrp()  # Ctrl-C is for the first process, which tells the others
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_end_with_the_first, daemon=True).start()

    def tell(_url: str) -> None:
        log.info("API process %s answers", os.getpid())
        ready.send(None)

    raise SystemExit(running.api(settings, processes=count, ready=tell))


def _end_with_the_first() -> None:
    first = multiprocessing.parent_process()
    if first is not None:
        first.join()
        os.kill(os.getpid(), signal.SIGTERM)
