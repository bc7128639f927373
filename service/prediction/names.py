"""What names stand for, remembered for the blink of an eye: so a busy model costs no SQL.

A name that is asked for all the time is looked up again about twenty times a second, beside the
requests; one that was not asked for lately is looked up before its request is answered.
"""

from collections import OrderedDict
from typing import NamedTuple

from service.domain.models import Servable

FRESH_SECONDS = 0.05
"""So long nobody looks again."""

VALID_SECONDS = 0.1
"""So long a request takes what is known; between the two, one looks again for the others."""

KEPT_NAMES = 1024


class Known(NamedTuple):
    """What a name stood for. Moments are of the monotonic clock, in seconds.

    `seen_at` is when a look at the database showed it, `at` from when on it is taken for fresh.
    """

    servable: Servable
    at: float
    seen_at: float


class Names:
    """Remembers names; for one thread's use."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._looking: set[str] = set()

    def find(self, reference: str, *, now: float) -> Servable | None:
        """Return what the name stands for, if that is known well enough."""
        known = self._known.get(reference)
        if known is None or now - known.at > VALID_SECONDS:
            return None
        return known.servable

    def stretch(self, reference: str, *, now: float, seen_after: float) -> Servable | None:
        """Take what is known for fresh once more, if it was seen after that moment.

        For when nobody can look: the database is away.
        """
        known = self._known.get(reference)
        if known is None or known.seen_at < seen_after:
            return None
        self._known[reference] = known._replace(at=now)
        return known.servable

    def put(self, reference: str, servable: Servable, *, now: float) -> None:
        """Remember what a look at the database has shown; `now` is when it began."""
        self._known[reference] = Known(servable, now, now)
        self._known.move_to_end(reference)
        if len(self._known) > KEPT_NAMES:
            self._known.popitem(last=False)

    def forget(self, reference: str) -> None:
        """Forget a name: a look has shown that it stands for nothing any more."""
        self._known.pop(reference, None)

    def begin_look(self, reference: str, *, now: float) -> bool:
        """Tell whether the caller shall look again: it is time, and nobody else does already."""
        known = self._known.get(reference)
        due = known is None or now - known.at > FRESH_SECONDS
        if not due or reference in self._looking:
            return False
        self._looking.add(reference)
        return True

    def end_look(self, reference: str) -> None:
        """Let others look again."""
        self._looking.discard(reference)
