"""To wait for what happens in another process."""

import select
import time
from collections.abc import Callable
from typing import TypeVar

DEADLINE_SECONDS = 120.0
"""Of a busy machine; what is waited for takes a second or two where there is time."""

PAUSE_SECONDS = 0.02
"""Between two looks: who asks without a pause takes the processor from what is waited for."""

ThingT = TypeVar("ThingT")


def eventually(find: Callable[[], ThingT | None]) -> ThingT:
    """Ask until there is an answer that is neither None nor False; fail after two minutes."""
    until = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < until:
        found = find()
        if found is not None and found is not False:
            return found
        select.select([], [], [], PAUSE_SECONDS)
    raise AssertionError("it did not happen in time")
