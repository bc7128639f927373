"""Until when somebody waits for an answer: a request that stood in line for too long is told so at
once, and not served when nobody reads it any more. Workers have no deadline.
"""

import time
from contextvars import ContextVar
from math import inf

from service.domain.problems import Busy

_until: ContextVar[float] = ContextVar("until", default=inf)


def begin_within(seconds: float) -> None:
    """Have the first transaction of this context begin within so many seconds, or not at all."""
    _until.set(time.monotonic() + seconds)


def ends_at() -> float:
    """Return the deadline of this context, of the monotonic clock in seconds; inf where is none."""
    return _until.get()


def has_begun() -> None:
    """Take the deadline away: what has begun in time may take as long as it takes."""
    _until.set(inf)


def refuse_late() -> None:
    """Raise Busy if the deadline of this context is over; it has begun otherwise."""
    if time.monotonic() > _until.get():
        raise too_late()
    has_begun()


def too_late() -> Busy:
    """Make the problem of a request whose deadline was over before its turn came."""
    return Busy(
        "The turn of this request did not come in time. Send it again later, and with a longer "
        "deadline_ms if you set one."
    )
