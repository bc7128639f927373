"""How a range test is laid out: long enough for a curve, short beside the training."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.catalogue.discovery import discover
from service.optimizers.ranges import (
    FEWEST_BATCHES,
    FEWEST_STEPS,
    MOST_STEPS,
    RangeTest,
    range_test,
    what_is_missing,
)

KINDS = discover().optimizers
counts = st.integers(1, 10_000)


def a_test(type_: str = "sgd", *, batches_per_epoch: int = 100, batches: int = 10_000) -> RangeTest:
    kind = KINDS[type_]
    test = range_test(
        kind.config(lr="auto"),
        full_batch=kind.full_batch,
        batches_per_epoch=batches_per_epoch,
        batches=batches,
    )
    assert test is not None
    return test


def test_there_is_no_test_where_lr_is_a_number() -> None:
    config = KINDS["sgd"].config(lr=0.1)

    assert range_test(config, full_batch=False, batches_per_epoch=9, batches=99) is None


@given(st.sampled_from(sorted(KINDS)), counts, counts)
def test_a_test_that_can_be_is_short_beside_the_training(
    type_: str, batches_per_epoch: int, batches: int
) -> None:
    test = a_test(type_, batches_per_epoch=batches_per_epoch, batches=batches)

    if what_is_missing(test, batches_per_epoch=batches_per_epoch, batches=batches) is None:
        assert FEWEST_STEPS <= test.steps <= MOST_STEPS
        assert batches_per_epoch >= FEWEST_BATCHES
        taken = test.steps * test.batches
        assert taken <= max(batches / 10, FEWEST_STEPS * test.batches)
        assert taken <= batches


@pytest.mark.parametrize("type_", sorted(KINDS))
def test_the_range_holds_the_optimizers_own_lr_in_its_middle(type_: str) -> None:
    test = a_test(type_)

    assert test.low * test.growth ** (test.steps - 1) == pytest.approx(test.high)
    assert test.default == pytest.approx(KINDS[type_].config().lr)
    assert test.low < test.default / 100 < test.default * 100 < test.high
    assert test.lower().high > test.low > 1000 * test.lower().low


def test_what_is_missing_is_said_with_what_to_do() -> None:
    assert "smaller batch_size" in str(
        what_is_missing(a_test(batches_per_epoch=1), batches_per_epoch=1, batches=1000)
    )
    assert "train longer" in str(
        what_is_missing(a_test(batches=19), batches_per_epoch=19, batches=19)
    )
