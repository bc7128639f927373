"""Where a metric lies with a probability of 95 %, if other data of the kind come.

Shares have Wilson's interval (1927), everything else a percentile bootstrap (Efron 1979) over sums:
of at most 1,000 groups of examples 1,000 draws are made, so its cost does not grow with the data.
The draws are the same in every call: an interval is a function of the numbers it is made of.
"""

from collections.abc import Callable, Mapping
from math import ceil, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from service.domain.evaluations import Interval

RESAMPLES = 1000
MAX_GROUPS = 1000
Z = 1.959963984540054
"""The normal distribution has 95 % between -Z and Z."""

Numbers = NDArray[np.float64]
Statistic = Callable[[Numbers], Numbers]
"""Sums (draws, sums) in, one value for each draw out."""

_SEED = 20_270_501
_PERCENT = (2.5, 97.5)


def wilson(hits: int, count: int) -> Interval:
    """Bound the share of `hits` among `count` independent examples."""
    share = hits / count
    spread = Z * Z / count
    centre = (share + spread / 2) / (1 + spread)
    half = Z * sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    # Rounding may leave the share of 0 or 1 a hair outside.
    low, high = max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))
    return Interval(value=share, low=low, high=high, method="wilson")


def bootstrap(
    sums: Numbers, statistics: Mapping[str, Statistic], *, in_order: bool = False
) -> dict[str, Interval]:
    """Bound statistics of sums over examples (examples, statistics), drawing them anew.

    `in_order`: neighbours are alike, as in a series; they stay together, in √n stretches. What is
    no number is left out, as the exponential of a large loss.
    """
    groups = _grouped(sums, in_order=in_order)
    drawn = np.random.default_rng(_SEED).integers(0, len(groups), (RESAMPLES, len(groups)))
    counts = np.stack([np.bincount(places, minlength=len(groups)) for places in drawn])
    totals = _product(counts.astype(np.float64), groups)
    measured = sums.sum(axis=0)[None]
    with np.errstate(all="ignore"):  # what is no number is left out below
        intervals = {
            name: _interval(float(statistic(measured)[0]), statistic(totals))
            for name, statistic in statistics.items()
        }
    return {name: each for name, each in intervals.items() if each is not None}


def bootstrap_counts(counts: NDArray[np.int64], statistic: Statistic) -> list[Interval | None]:
    """Bound statistics of a table of counts, whose examples are drawn anew.

    `statistic` takes tables (draws, cells) and returns one row of values for each.
    """
    total = int(counts.sum())
    drawn = np.random.default_rng(_SEED).multinomial(total, counts / total, RESAMPLES)
    with np.errstate(all="ignore"):
        measured = statistic(counts[None].astype(np.float64))[0]
        values = statistic(drawn.astype(np.float64))
    return [
        _interval(float(value), column) for value, column in zip(measured, values.T, strict=True)
    ]


def _interval(value: float, drawn: Numbers) -> Interval | None:
    finite = drawn[np.isfinite(drawn)]
    if not isfinite(value) or not finite.size:
        return None
    low, high = (float(each) for each in np.percentile(finite, _PERCENT))
    return Interval(value=value, low=min(low, value), high=max(high, value), method="bootstrap")


def _grouped(sums: Numbers, *, in_order: bool) -> Numbers:
    """Add examples up to a bounded number of groups: stretches of a series, else every n-th."""
    count = len(sums)
    if in_order:
        size = ceil(count / max(1, ceil(sqrt(count))))
        return np.add.reduceat(sums, np.arange(0, count, size), axis=0)
    size = ceil(count / MAX_GROUPS)
    if size == 1:
        return sums
    whole = count // size * size
    groups = sums[:whole].reshape(size, whole // size, -1).sum(axis=0)
    rest = np.arange(count - whole) % len(groups)  # there may be more of them than groups
    np.add.at(groups, rest, sums[whole:])
    return groups


def _product(draws: Numbers, groups: Numbers) -> Numbers:
    """Multiply without BLAS, whose bits depend on the number of threads."""
    return np.stack([(draws * column).sum(axis=1) for column in groups.T], axis=1)
