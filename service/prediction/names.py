"""What names stand for, remembered for the blink of an eye: so a busy model costs no SQL.

A name that is asked for all the time is looked up again about twenty times a second, beside the
requests; one that was asked for lately twice a second, so that its next version is there before it
is asked; any other is looked up before its request is answered.
"""

from collections import Counter, OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from typing import NamedTuple

from service.domain.models import Servable

FRESH_SECONDS = 0.05
"""So long nobody looks again."""

VALID_SECONDS = 0.1
"""So long a request takes what is known; between the two, one looks again for the others."""

KEPT_NAMES = 1024

LATELY_SECONDS = 600.0
"""So long ago may somebody have asked for a name that is looked at without being asked."""

MAX_WATCHED = 64


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
        self._asked: dict[str, float] = {}
        self._looking: set[str] = set()
        self._held = Counter[str]()

    def find(self, reference: str, *, now: float) -> Servable | None:
        """Return what somebody asks for, if that is known well enough, or held."""
        known = self._known.get(reference)
        if known is None:
            return None
        self.ask(reference, now=now)
        if now - known.at > VALID_SECONDS and not self._held[reference]:
            return None
        return known.servable

    def ask(self, reference: str, *, now: float) -> None:
        """Note that somebody asks for a name."""
        self._asked[reference] = now

    def last(self, reference: str, *, seen_after: float) -> Servable | None:
        """Return what the name stood for when it was seen last, if that was after this moment."""
        known = self._known.get(reference)
        return known.servable if known is not None and known.seen_at >= seen_after else None

    def lately(self, *, now: float) -> list[str]:
        """Name what was asked for lately, the newest questions first; forget who asked before."""
        self._asked = {
            reference: at
            for reference, at in self._asked.items()
            if now - at <= LATELY_SECONDS and reference in self._known
        }
        newest = sorted(self._asked, key=self._asked.__getitem__, reverse=True)
        return newest[:MAX_WATCHED]

    @contextmanager
    def held(self, reference: str) -> Generator[None]:
        """Let what is known hold until the block ends: its successor is being loaded."""
        self._held[reference] += 1
        try:
            yield
        finally:
            self._held -= Counter([reference])

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
        """Remember what a look at the database has shown; `now` is when it began.

        A look that began before another one that has ended already shows nothing new.
        """
        known = self._known.get(reference)
        if known is not None and known.seen_at > now:
            return
        self._known[reference] = Known(servable, now, now)
        self._known.move_to_end(reference)
        if len(self._known) > KEPT_NAMES:
            self._known.popitem(last=False)

    def forget(self, reference: str) -> None:
        """Forget a name: a look has shown that it stands for nothing any more."""
        self._known.pop(reference, None)
        self._asked.pop(reference, None)

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
