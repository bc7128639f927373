"""What others leave free of a machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.machine import cores
from service.worker.load import Load, Sample, sample


def looks(*samples: Sample | None) -> Load:
    given: Iterator[Sample | None] = iter(samples)
    return Load(lambda: next(given))


@pytest.mark.parametrize(
    ("idle", "own", "free"),
    [
        (2.0, 0.0, 2),  # nobody else works, and this process waits
        (1.0, 1.0, 2),  # it works on one of two cores
        (1.0, 0.0, 1),  # somebody else has one of them
        (0.0, 0.9, 1),
        (0.0, 0.3, 0),  # others have both
        (1.7, 0.1, 2),  # a little of everything else is no reason
    ],
)
def test_free_is_what_is_idle_and_what_is_ours(idle: float, own: float, free: int) -> None:
    began = Sample(at=10.0, idle=500.0, own=1.0)

    load = looks(began, Sample(at=14.0, idle=500.0 + 4 * idle, own=1.0 + 4 * own))

    assert load.free_cores() == free


def test_a_machine_that_does_not_tell_is_not_guessed_at() -> None:
    assert looks(None, None).free_cores() is None


def test_a_look_that_is_too_short_takes_its_time() -> None:
    began, soon = Sample(10.0, 500.0, 1.0), Sample(10.09, 500.0, 1.0)

    assert looks(began, soon, Sample(10.1, 500.2, 1.0)).free_cores() == 2


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="only Linux tells")
def test_the_machine_tells_of_no_more_cores_than_it_has() -> None:
    seen = sample()
    assert seen is not None
    assert seen.idle > 0
    free = Load().free_cores()
    assert free is not None
    assert 0 <= free <= (os.cpu_count() or cores())
