"""Intervals lie where they should, for any numbers; and hold the truth as often as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.tasks import intervals

COUNTED = st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def mean(sums: intervals.Numbers) -> intervals.Numbers:
    return sums[:, 1] / sums[:, 0]


def with_ones(values: list[float]) -> intervals.Numbers:
    return np.stack([np.ones(len(values)), np.array(values, dtype=np.float64)], axis=1)


@given(COUNTED)
def test_a_share_lies_in_its_interval_and_that_between_0_and_1(counted: tuple[int, int]) -> None:
    hits, count = counted
    told = intervals.wilson(hits, count)
    assert 0 <= told.low <= told.value <= told.high <= 1
    assert told.value == hits / count


def test_wilson_is_the_one_of_the_textbook() -> None:
    told = intervals.wilson(8, 10)
    assert (told.low, told.high) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.booleans())
def test_a_mean_lies_in_its_interval_and_that_between_the_extremes(
    values: list[float], in_order: bool
) -> None:
    [told] = intervals.bootstrap(with_ones(values), {"mean": mean}, in_order=in_order).values()
    assert told.low <= told.value <= told.high
    assert told.value == pytest.approx(np.mean(values), abs=1e-6)
    assert told.low >= min(values) - 1e-6
    assert told.high <= max(values) + 1e-6


def test_what_is_no_number_has_no_interval() -> None:
    sums = with_ones([1e4, 2e4])
    assert not intervals.bootstrap(sums, {"exponential": lambda each: np.exp(mean(each))})


def test_the_truth_lies_in_nineteen_of_twenty_intervals() -> None:
    generator = np.random.default_rng(1)
    hit = 0
    for _ in range(200):
        sums = with_ones(list(generator.exponential(size=120)))
        told = intervals.bootstrap(sums, {"mean": mean})["mean"]
        hit += told.low <= 1 <= told.high
    assert 176 <= hit <= 199


def test_many_examples_have_as_good_an_interval_in_groups() -> None:
    values = np.random.default_rng(2).normal(size=50_003)
    told = intervals.bootstrap(with_ones(list(values)), {"mean": mean})["mean"]
    half = intervals.Z / 50_003**0.5
    assert told.high - told.low == pytest.approx(2 * half, rel=0.15)


def test_what_is_left_over_of_very_many_examples_goes_into_groups_too() -> None:
    sums = np.ones((1_000_999, 2))
    told = intervals.bootstrap(sums, {"mean": mean})["mean"]
    assert (told.low, told.value, told.high) == (1, 1, 1)


def test_a_series_is_less_certain_than_the_same_values_shuffled() -> None:
    steps = np.random.default_rng(3).normal(size=2000)
    series = np.convolve(steps, np.ones(30) / 30, mode="valid")
    alone = intervals.bootstrap(with_ones(list(series)), {"mean": mean})["mean"]
    together = intervals.bootstrap(with_ones(list(series)), {"mean": mean}, in_order=True)["mean"]
    assert together.high - together.low > 3 * (alone.high - alone.low)
