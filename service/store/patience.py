"""Patience with a database that is away, locked, read-only or full: try again until it answers."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from service.domain.problems import Problem
from service.store.errors import DATABASE_TROUBLE, StorageFull

ResultT = TypeVar("ResultT")
logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
ROOM_WITHIN = timedelta(seconds=5)
"""So soon room must come: while a server is away nothing else can be done, a full disk is told."""


def patiently(
    do: Callable[[], ResultT],
    *,
    at_most: timedelta | None = None,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> ResultT:
    """Do it, again and again while the database is in trouble; without `at_most` for ever.

    It must be something that may be done twice: a commit whose answer was lost may have happened.
    Raises StorageFull when room does not come soon.
    """
    began, seconds = clock(), FIRST_PAUSE
    while True:
        try:
            done = do()
        except DATABASE_TROUBLE as trouble:
            limit = ROOM_WITHIN if isinstance(trouble, StorageFull) else at_most
            if limit is not None and clock() - began >= limit.total_seconds():
                raise
            if seconds == FIRST_PAUSE:
                logger.warning("waiting for the database: %s", in_words(trouble))
        else:
            if seconds > FIRST_PAUSE:
                logger.warning("the database answers again after %.1f s", clock() - began)
            return done
        pause(seconds)
        seconds = min(2 * seconds, LONGEST_PAUSE)


def in_words(trouble: Problem) -> str:
    """Say in one line for the log what the database, or who should have reached it, said."""
    cause = getattr(trouble.__cause__, "orig", trouble.__cause__)
    reason = " ".join(str(cause).split()) if cause else trouble.detail
    return f"{trouble.code}: {reason}"
