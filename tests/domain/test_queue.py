"""Why a job waits, in words, and when it may begin."""

from datetime import UTC, datetime, timedelta

import pytest

from service.domain.queue import (
    NO_WORKER,
    Place,
    Ran,
    Speeds,
    Waiting,
    estimated_starts,
    why_nobody_takes,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SORT = ("eating", "rnn")
HAS = frozenset({"device:cpu", "torch:2.13.0", "threads:1"})
SPEEDS = Speeds([Ran(SORT, trained_seconds=600.0, epochs=10, steps=1000)])
"""A minute an epoch, 0.6 s a step."""


def waiting(
    name: str,
    *,
    needs: frozenset[str] = frozenset(),
    sort: tuple[str, str] = SORT,
    epochs: int | None = 5,
    max_steps: int | None = None,
    left: float = 1.0,
) -> Waiting:
    return Waiting(name, needs, sort, epochs, max_steps, left)


def minutes(*after: int | None) -> list[Place]:
    """Make places that are free so many minutes after noon."""
    return [Place(HAS, None if m is None else NOON + timedelta(minutes=m)) for m in after]


def starts(queue: list[Waiting], places: list[Place]) -> dict[str, int]:
    """Say in which minute after noon each job begins."""
    found = estimated_starts(queue, places, SPEEDS, now=NOON)
    return {name: (at - NOON) // timedelta(minutes=1) for name, at in found.items()}


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        ({"device:cpu"}, None),
        ({"device:mps"}, "waits for a worker with device mps"),
        ({"threads:2", "torch:2.12.0"}, "waits for a worker with 2 threads and torch 2.12.0"),
        ({"cpu:AVX512"}, "waits for a worker with CPU capability AVX512"),
        ({"architecture:lstm"}, "waits for a worker with architecture lstm"),
    ],
)
def test_what_no_worker_has_is_told_in_words(needs: set[str], words: str | None) -> None:
    assert why_nobody_takes(frozenset(needs), [HAS]) == words


def test_of_several_workers_the_one_that_lacks_least_is_told_of() -> None:
    needs = frozenset({"device:cuda", "threads:2"})
    two_threads = frozenset({"device:cpu", "threads:2"})
    assert why_nobody_takes(needs, [HAS, two_threads]) == "waits for a worker with device cuda"
    assert why_nobody_takes(needs, []) == NO_WORKER


def test_jobs_take_the_places_in_the_order_of_the_queue() -> None:
    queue = [waiting("a"), waiting("b"), waiting("c"), waiting("d", epochs=None, max_steps=100)]
    assert starts(queue, minutes(-3, 2)) == {"a": 0, "b": 2, "c": 5, "d": 7}


def test_what_a_job_has_trained_already_is_not_waited_for_again() -> None:
    assert starts([waiting("a", left=0.2), waiting("b")], minutes(0)) == {"a": 0, "b": 1}


def test_who_waits_behind_something_unknown_has_no_estimate() -> None:
    unknown = waiting("a", sort=("digits", "mlp"))
    assert starts([unknown, waiting("b")], minutes(0)) == {"a": 0}
    assert starts([unknown, waiting("b")], minutes(0, None, 4)) == {"a": 0, "b": 4}


def test_a_job_that_fits_nowhere_takes_no_place() -> None:
    elsewhere = waiting("a", needs=frozenset({"device:mps"}))
    assert starts([elsewhere, waiting("b"), waiting("c")], minutes(0)) == {"b": 0, "c": 5}


def test_estimates_are_rounded_up_to_the_minute() -> None:
    place = Place(HAS, NOON + timedelta(seconds=61))
    assert starts([waiting("a")], [place]) == {"a": 2}
