"""What a model will take is what it took for as much, and one slow moment changes little."""

from math import inf

import pytest
from torch import nn

from service.prediction.costs import Costs


def test_what_was_never_done_may_take_for_ever() -> None:
    costs, model = Costs(), nn.Identity()
    costs.learn(model, 100, 0.001)

    assert costs.expected(model, 1000) == inf
    assert costs.expected(nn.Identity(), 100) == inf


def test_sizes_are_told_apart_by_powers_of_two() -> None:
    costs, model = Costs(), nn.Identity()
    costs.learn(model, 100, 0.001)

    assert costs.expected(model, 127) == 0.001
    assert costs.expected(model, 128) == inf


def test_faster_counts_at_once_and_slower_little_by_little() -> None:
    costs, model = Costs(), nn.Identity()
    for seconds in (0.004, 0.001, 1.0):
        costs.learn(model, 100, seconds)

    assert costs.expected(model, 100) == pytest.approx(0.00125)
