"""What took long to make is kept for who asks the same: datasets and versions never change."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

MAX_KEPT = 64
MAX_BYTES = 1 << 20
"""Larger ones are made anew."""


class Kept:
    """The last answers, as bytes, by what they depend on. For any number of threads."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """Return the answer that is kept under `key`, or make it."""
        with self._lock:
            known = self._answers.get(key)
            if known is not None:
                self._answers.move_to_end(key)
                return known
        made = make()
        if len(made) <= MAX_BYTES:
            with self._lock:
                self._answers[key] = made
                while len(self._answers) > MAX_KEPT:
                    self._answers.popitem(last=False)
        return made
