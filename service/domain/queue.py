"""The queue in words and in time: why a job waits, and when it may begin.

An estimated start is a guess by this rule. A running job is over when its progress says so. A job
that waits takes as long per epoch (or per step, where `max_steps` bounds it) as the newest jobs of
the same dataset and architecture took, for what is left of it. In the order of the queue each one
takes the first place of a fresh worker that fits it. Who waits behind something unknown, or for
nobody, has no estimate.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from service.domain.workers import Worker

NO_WORKER = "no worker is running"
PRECISION = timedelta(minutes=1)
"""Estimates are rounded up to it: else each look at a job would be a change of it."""

_IN_WORDS = {
    "device": "device {}",
    "threads": "{} threads",
    "cpu": "CPU capability {}",
    "torch": "torch {}",
    "precision": "{}",
}


class Ran(NamedTuple):
    """How long a job of this sort trained, and how far it came in that time."""

    sort: tuple[str, str]
    trained_seconds: float
    epochs: int
    steps: int


class Waiting(NamedTuple):
    """A job in the queue: its sort (dataset and architecture), its length, what is left of it."""

    id: str
    needs: frozenset[str]
    sort: tuple[str, str]
    epochs: int | None
    max_steps: int | None
    left: float


class Place:
    """Where one job at a time trains; `free_at` is None when nobody knows."""

    def __init__(self, offers: frozenset[str], free_at: datetime | None) -> None:
        self.offers = offers
        self.free_at = free_at


class Speeds:
    """What past jobs say about the seconds that one of their sort takes."""

    def __init__(self, past: Iterable[Ran]) -> None:
        self._of: dict[tuple[str, str], list[Ran]] = {}
        for job in past:
            self._of.setdefault(job.sort, []).append(job)

    def seconds(self, job: Waiting) -> float | None:
        """Say how long a job still trains; None when no past job is like it."""
        alike = self._of.get(job.sort, [])
        length = job.max_steps or job.epochs
        done = sum(past.steps if job.max_steps else past.epochs for past in alike)
        if length is None or done == 0:
            return None
        return sum(past.trained_seconds for past in alike) / done * length * job.left


def offers_of(worker: Worker) -> frozenset[str]:
    """Name all that a worker has, devices too, in the words of what jobs need."""
    return frozenset([*worker.components, *(f"device:{name}" for name in worker.devices)])


def why_nobody_takes(needs: frozenset[str], offers: Sequence[frozenset[str]]) -> str | None:
    """Say what a job waits for that no worker has; None when one fits it."""
    if not offers:
        return NO_WORKER
    missing = min((sorted(needs - each) for each in offers), key=lambda lacks: (len(lacks), lacks))
    return f"waits for a worker with {_listed(missing)}" if missing else None


def estimated_starts(
    queue: Sequence[Waiting], places: Sequence[Place], speeds: Speeds, *, now: datetime
) -> Mapping[str, datetime]:
    """Say when each job of a queue, the first one first, may begin; who is unknown is left out."""
    starts: dict[str, datetime] = {}
    for job in queue:
        known = [each for each in places if each.free_at and job.needs <= each.offers]
        if not known:
            continue
        place = min(known, key=lambda each: each.free_at or now)
        begins = max(now, place.free_at or now)
        starts[job.id] = _rounded_up(begins)
        seconds = speeds.seconds(job)
        place.free_at = None if seconds is None else begins + timedelta(seconds=seconds)
    return starts


def _rounded_up(moment: datetime) -> datetime:
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    return begin + -((begin - moment) // PRECISION) * PRECISION


def _listed(missing: Sequence[str]) -> str:
    return " and ".join(_in_words(each) for each in missing)


def _in_words(need: str) -> str:
    kind, _, name = need.partition(":")
    return _IN_WORDS.get(kind, f"{kind} {{}}").format(name)
