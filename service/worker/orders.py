"""What a child hears from its worker: orders, and that the worker has died."""

import multiprocessing
import os
import threading
from multiprocessing.connection import Connection, wait

from service.domain.ports import Command

WORKER_DIED = 70


class Inbox:
    """The newest order, without waiting. Ends the process when its worker is gone.

    A thread reads the pipe, so that the training loop, which asks before every batch, pays nothing.
    """

    def __init__(self, orders: "Connection[Command | None]") -> None:
        self._command: Command | None = None
        self._orders = orders
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def command(self) -> Command | None:
        """Return what was ordered last, if it was not taken back."""
        return self._command

    def _listen(self) -> None:
        worker = multiprocessing.parent_process()
        sentinel = worker.sentinel if worker is not None else -1
        while True:
            ready = wait([sentinel, self._orders])
            if sentinel in ready:
                # Not sys.exit: only this thread would end, and the other trained on for nobody.
                os._exit(WORKER_DIED)
            try:
                self._command = self._orders.recv()
            except EOFError:
                os._exit(WORKER_DIED)
