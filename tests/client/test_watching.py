"""Following a job, by a clock that the test turns."""

import pytest

from service.client.errors import UnreachableError
from service.client.watching import Following
from service.domain.jobs import Job
from tests.client.answers import a_job

AWAY = UnreachableError("nobody is there")


def following() -> Following:
    """Look at a job that runs; what follows begins at second 1."""
    look = Following("job_1", every=0.5, wait=20, deadline=None, patience=10, now=0)
    look.wait(now=0)
    look.is_news(Job.model_validate(a_job(status="running")), now=0.1)
    return look


def test_an_outage_that_begins_late_in_a_held_look_is_waited_for_as_long_as_any() -> None:
    look = following()
    look.wait(now=1)

    look.missed(AWAY, now=18)
    look.missed(AWAY, now=27)
    with pytest.raises(UnreachableError):
        look.missed(AWAY, now=28.5)


def test_who_answers_again_may_be_away_again() -> None:
    look = following()
    look.missed(AWAY, now=5)
    look.is_news(Job.model_validate(a_job(status="running")), now=14)

    look.missed(AWAY, now=20)
    look.missed(AWAY, now=29)


def test_a_look_that_was_held_is_followed_by_the_next_at_once() -> None:
    look = following()
    look.wait(now=1)
    look.is_news(Job.model_validate(a_job(status="running")), now=21)
    assert look.pause(now=21) == 0

    look.wait(now=21)
    look.is_news(Job.model_validate(a_job(status="running")), now=21.1)
    assert look.pause(now=21.1) == 0.5
