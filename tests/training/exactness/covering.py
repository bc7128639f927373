"""Few rows of choices in which every choice, or every pair of two choices, comes up.

Greedy, as in "The Combinatorial Design Approach to Automatic Test Generation" (Cohen et al. 1996):
each row is built around something that is still missing, and takes what adds most.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product
from random import Random
from typing import NamedTuple

Row = dict[str, int]  # the number of the chosen value, by factor
Choice = tuple[str, int]
TRIES = 80


class Factor(NamedTuple):
    """Something to choose. It matters only where the factor `of` has one of the values `when`."""

    name: str
    values: int
    of: str | None = None
    when: frozenset[int] = frozenset()


def cover(
    factors: Sequence[Factor], *, pairs: Callable[[str, str], bool], allowed: Callable[[Row], bool]
) -> list[Row]:
    """Choose rows that hold every choice, and every pair of choices that `pairs` asks for.

    `pairs` is asked about two factors. What no `allowed` row has is left out.
    """
    random = Random(0)
    missing = dict.fromkeys(_wanted(factors, pairs))
    rows: list[Row] = []
    while missing:
        goal = next(iter(missing))
        for number in range(TRIES):
            # What adds most may never go together; then anything will do.
            row = _around(goal, factors, missing if number < TRIES // 4 else {}, random)
            if row is not None and allowed(row):
                rows.append(row)
                for found in _held(row):
                    missing.pop(found, None)
                break
        missing.pop(goal, None)  # no row has it
    return rows


def _wanted(
    factors: Sequence[Factor], pairs: Callable[[str, str], bool]
) -> Iterator[tuple[Choice, ...]]:
    for one, other in combinations(factors, 2):
        if pairs(one.name, other.name):
            for left, right in product(range(one.values), range(other.values)):
                yield (one.name, left), (other.name, right)
    for factor in factors:
        for value in range(factor.values):
            yield ((factor.name, value),)


def _held(row: Row) -> Iterator[tuple[Choice, ...]]:
    choices = list(row.items())
    yield from ((choice,) for choice in choices)
    yield from combinations(choices, 2)


def _around(
    goal: tuple[Choice, ...],
    factors: Sequence[Factor],
    missing: dict[tuple[Choice, ...], None],
    random: Random,
) -> Row | None:
    """Build a row that holds the goal; None where its choices exclude each other."""
    by_name = {factor.name: factor for factor in factors}
    fixed: Row = {}
    for name, value in goal:
        factor = by_name[name]
        fixed[name] = value
        if (
            factor.of is not None
            and fixed.setdefault(factor.of, random.choice(sorted(factor.when))) not in factor.when
        ):
            return None
    row: Row = {}
    for factor in factors:  # the one that another depends on comes before it
        if factor.of is not None and row.get(factor.of) not in factor.when:
            continue
        if factor.name in fixed:
            row[factor.name] = fixed[factor.name]
            continue
        numbers = list(range(factor.values))
        random.shuffle(numbers)
        row[factor.name] = max(numbers, key=lambda number: _gain(factor, number, row, missing))
    return row


def _gain(factor: Factor, number: int, row: Row, missing: dict[tuple[Choice, ...], None]) -> int:
    choice = (factor.name, number)
    alone = ((choice,) in missing) * 1
    return alone + sum((other, choice) in missing for other in row.items())
