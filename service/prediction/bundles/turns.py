"""What takes so much memory that a process does it one at a time: others wait, but not for ever.

A turn is a lock. Whoever gets none in time may come again later, and has taken no memory meanwhile.
"""

from collections.abc import Generator
from contextlib import contextmanager
from threading import Lock

from service.domain.problems import Busy


@contextmanager
def alone(turn: Lock, *, patience_seconds: float) -> Generator[None]:
    """Do what is inside alone. Raises Busy where the turn does not come in time."""
    if not turn.acquire(timeout=patience_seconds):
        raise Busy
    try:
        yield
    finally:
        turn.release()
