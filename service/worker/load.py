"""How many cores are free: beside somebody else on a core, two threads are slower than one.

The threads of a product of matrices wait for each other, spinning: when one of them has to share
its core, all do. Beside one busy process two threads trained at a third of the speed of one
(measured, 2 cores).
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_STATISTICS = Path("/proc/stat")
_IDLE = slice(4, 6)
"""In its first line: idle, and waiting for disks (proc(5))."""
_LEAST_SECONDS = 0.1


class Sample(NamedTuple):
    """Seconds: on a clock, of idle cores, of this process."""

    at: float
    idle: float
    own: float


def sample() -> Sample | None:
    """Look at the machine; None where it does not tell (only Linux does)."""
    try:
        words = _STATISTICS.read_text(encoding="ascii").partition("\n")[0].split()
    except OSError:
        return None
    idle = sum(map(int, words[_IDLE])) / os.sysconf("SC_CLK_TCK")
    return Sample(time.monotonic(), idle, time.process_time())


class Load:
    """What others leave free, from when this is made to when it is asked."""

    def __init__(self, look: Callable[[], Sample | None] = sample) -> None:
        self._look = look
        self._first = look()

    def free_cores(self) -> int | None:
        """Count the cores that others leave to this process; None where nobody knows.

        Waits for the rest of a tenth of a second, if that has not passed.
        """
        first, now = self._first, self._look()
        if first is None or now is None:
            return None
        missing = _LEAST_SECONDS - (now.at - first.at)
        if missing > 0:
            time.sleep(missing)
            now = self._look() or now
        seconds = max(now.at - first.at, _LEAST_SECONDS)
        return round((now.idle - first.idle + now.own - first.own) / seconds)
