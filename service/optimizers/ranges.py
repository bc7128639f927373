"""`lr: "auto"`: over which learning rates a range test goes, how long it is, and when it cannot be.

Numbers alone; the test itself is a part of training.
"""

import math
from typing import NamedTuple

from service.optimizers.base import OptimizerConfig
from service.optimizers.options import AUTO

FEWEST_STEPS, MOST_STEPS = 20, 100
PART = 10
"""Of a run, a range test is so great a part, within the bounds above."""
FEWEST_BATCHES = 8
"""What an epoch must have: with fewer, the test would see each example again and again."""
AVERAGED_BATCHES = 4
"""Where a step takes all data, a step of the test takes so many batches."""
_DECADES = 3
_UNKNOWN = 0.01


class RangeTest(NamedTuple):
    """So many steps, each on so many batches, while lr grows from `low` to `high`.

    `default` is the optimizer's own lr, for a test that says nothing. An optimizer is built with it
    that gets its lr from the test: parameter groups with another lr keep that.
    """

    steps: int
    batches: int
    default: float
    low: float
    high: float

    def lower(self) -> "RangeTest":
        """Lay out the same test below this one, with a part of its range again."""
        return self._replace(low=self.low / 10 ** (2 * _DECADES), high=10 * self.low)

    @property
    def growth(self) -> float:
        """The factor on lr from one step to the next."""
        return (self.high / self.low) ** (1 / (self.steps - 1))


def range_test(
    config: OptimizerConfig, *, full_batch: bool, batches_per_epoch: int, batches: int
) -> RangeTest | None:
    """Lay out the test of a run over so many batches; None where lr is a number."""
    if getattr(config, "lr", None) != AUTO:
        return None
    per_step = min(AVERAGED_BATCHES, batches_per_epoch) if full_batch else 1
    known = type(config).model_fields["lr"].default
    # No client writes just this number, so the groups that have it are those that follow `lr`.
    default = math.nextafter(known if isinstance(known, float) else _UNKNOWN, math.inf)
    return RangeTest(
        steps=min(MOST_STEPS, max(FEWEST_STEPS, batches // (PART * per_step))),
        batches=per_step,
        default=default,
        low=default / 10**_DECADES,
        high=min(1000.0, default * 10**_DECADES),
    )


def what_is_missing(test: RangeTest, *, batches_per_epoch: int, batches: int) -> str | None:
    """Say why a test cannot be, and what to do; None if it can."""
    if batches_per_epoch < FEWEST_BATCHES:
        found = f"{batches_per_epoch} batch{'es' if batches_per_epoch > 1 else ''}"
        return (
            f"auto needs at least {FEWEST_BATCHES} batches in an epoch, and there "
            f"{'are' if batches_per_epoch > 1 else 'is'} {found}: choose a smaller batch_size, or "
            "give a number"
        )
    needed = test.steps * test.batches
    if batches < needed:
        return (
            f"auto takes a test of {needed} batches, and the whole training has {batches}: train "
            "longer, or give a number"
        )
    return None
