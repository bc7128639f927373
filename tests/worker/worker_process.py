"""A worker as a process of its own: SIGTERM drains it, a second one kills its children too.

Without a main guard on purpose: children that imported their worker's script would end up here.
"""

import logging
import os
import signal
import threading

from service.settings import Settings
from service.worker.main import run_worker

if __name__ != "__main__":
    os._exit(99)

stop, kill = threading.Event(), threading.Event()


def hear(_number: int, _frame: object) -> None:
    (kill if stop.is_set() else stop).set()


signal.signal(signal.SIGTERM, hear)
signal.signal(signal.SIGINT, hear)
logging.basicConfig(level=logging.INFO)
run_worker(Settings(), stop=stop, kill=kill)
