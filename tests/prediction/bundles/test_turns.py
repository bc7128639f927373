"""One at a time, and nobody waits for ever."""

from threading import Lock

import pytest

from service.domain.problems import Busy
from service.prediction.bundles.turns import alone


def test_who_gets_no_turn_in_time_comes_again() -> None:
    turn = Lock()
    with alone(turn, patience_seconds=0.01), pytest.raises(Busy), alone(turn, patience_seconds=0):
        pytest.fail("two at a time")
    assert not turn.locked()


def test_a_turn_ends_with_what_went_wrong_in_it() -> None:
    turn = Lock()
    with pytest.raises(ZeroDivisionError), alone(turn, patience_seconds=0):
        raise ZeroDivisionError
    with alone(turn, patience_seconds=0):
        assert turn.locked()
