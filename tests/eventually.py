"""To wait for what happens in another process."""

import time
from collections.abc import Callable
from typing import Any

DEADLINE_SECONDS = 30.0
"""Of a busy machine; what is waited for takes a second at most where there is time."""


def eventually(seen: Callable[[], Any], *, within: float = DEADLINE_SECONDS) -> None:
    """Ask again and again until it is seen; without a pause, as many clients would."""
    until = time.monotonic() + within
    while not seen():
        assert time.monotonic() < until
