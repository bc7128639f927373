"""The split is a function of the examples: always the same, and never one example on both sides."""

from hashlib import sha256
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.datasets import splits
from service.datasets.words import Corpus

LINES = st.lists(st.sampled_from([f"i like food {number}" for number in range(30)]), min_size=2)
FRACTIONS = st.floats(min_value=0.01, max_value=0.99)


@given(LINES, FRACTIONS)
def test_equal_lines_are_on_the_same_side(lines: list[str], fraction: float) -> None:
    corpus = Corpus.of(lines)
    held_out = splits.validation_lines(corpus, fraction)
    sides: dict[str, set[bool]] = {}
    for line, side in zip(lines, held_out.tolist(), strict=True):
        sides.setdefault(line, set()).add(side)
    assert all(len(side) == 1 for side in sides.values())
    assert sum(True in side for side in sides.values()) == splits.held_out(len(sides), fraction)


@given(LINES, FRACTIONS, st.randoms(use_true_random=False))
def test_the_order_of_the_lines_does_not_matter(
    lines: list[str], fraction: float, random: Random
) -> None:
    shuffled = list(lines)
    random.shuffle(shuffled)
    assert _held_out(lines, fraction) == _held_out(shuffled, fraction)


def test_a_tenth_of_the_distinct_lines_validates() -> None:
    corpus = Corpus.of([f"line {number}" for number in range(30)])
    assert splits.validation_lines(corpus, 0.1).sum() == 3


def test_the_end_of_a_stream_validates() -> None:
    corpus = Corpus.of(["a b c", "d e f g", "h"])  # 8 words and 3 ends of lines
    assert splits.training_places(corpus, 0.3) == 7
    training = splits.training_words(corpus, "stream", 0.3)
    assert training.tolist() == [True] * 6 + [False] * 2


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), FRACTIONS)
def test_every_class_gives_its_part_and_keeps_one_to_learn_from(
    labels: list[int], fraction: float
) -> None:
    array = np.array(labels)
    held_out = splits.validation_images(array, fraction)
    for label in set(labels):
        members = labels.count(label)
        assert held_out[array == label].sum() == splits.held_out(members, fraction) < members


@pytest.mark.parametrize("fraction", [1e-300, 1e-10, 0.1, 0.5, 1 - 1e-16])
def test_a_part_however_small_or_large_leaves_one_on_each_side(fraction: float) -> None:
    assert 1 <= splits.held_out(2, fraction) < 2
    assert 1 <= splits.held_out(1000, fraction) < 1000


def _held_out(lines: list[str], fraction: float) -> set[str]:
    held_out = splits.validation_lines(Corpus.of(lines), fraction)
    return {line for line, side in zip(lines, held_out.tolist(), strict=True) if side}


ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), max_size=80)
"""Rows of a class and a number: few of both, so that rows repeat, also with another class."""


@given(ROWS, FRACTIONS)
def test_copies_of_a_row_are_on_the_same_side_whatever_their_class(
    rows: list[tuple[int, int]], fraction: float
) -> None:
    sides: dict[int, set[bool]] = {}
    for (_, number), side in zip(rows, _stratified(rows, fraction), strict=True):
        sides.setdefault(number, set()).add(side)
    assert all(len(side) == 1 for side in sides.values())


@given(ROWS, FRACTIONS)
def test_every_class_of_rows_keeps_one_to_learn_from(
    rows: list[tuple[int, int]], fraction: float
) -> None:
    held_out = _stratified(rows, fraction)
    trained = {label for (label, _), side in zip(rows, held_out, strict=True) if not side}
    assert trained == {label for label, _ in rows}


def test_a_class_whose_rows_all_belong_to_rarer_ones_keeps_one_to_learn_from() -> None:
    rows = [(label, 100 * label + number) for label in range(9) for number in range(3)]
    rows += [row for row, side in zip(rows, _stratified(rows, 0.3), strict=True) if side]
    shared = [(9, number) for _, number in rows[27:]]
    held_out = _stratified([*rows[:27], *shared], 0.3)
    assert not all(held_out[27:])


@pytest.mark.parametrize("shared", range(20))
def test_a_row_of_two_classes_counts_for_the_rarer_one(shared: int) -> None:
    common, rare = [(0, number) for number in range(20)], [(1, shared), (1, 100)]
    assert sum(_stratified([*common, *rare], 0.5)[20:]) == 1


@given(st.lists(st.integers(0, 60), max_size=80), FRACTIONS)
def test_every_class_gives_its_part_of_distinct_rows(numbers: list[int], fraction: float) -> None:
    rows = [(number % 3, number) for number in numbers]  # no number has two classes
    chosen = {row for row, side in zip(rows, _stratified(rows, fraction), strict=True) if side}
    for label in range(3):
        distinct = {number for number in numbers if number % 3 == label}
        of_class = sum(row[0] == label for row in chosen)
        assert of_class == splits.held_out(len(distinct), fraction)


@given(ROWS, FRACTIONS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(
    rows: list[tuple[int, int]], fraction: float, random: Random
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    kept = zip(rows, _stratified(rows, fraction), strict=True)
    assert set(kept) == set(zip(shuffled, _stratified(shuffled, fraction), strict=True))


def test_the_smallest_hashes_of_a_class_validate() -> None:
    rows = [(0, number) for number in range(40)]
    by_hash = sorted(rows, key=lambda row: sha256(str(row[1]).encode()).digest())
    chosen = [row for row, side in zip(rows, _stratified(rows, 0.1), strict=True) if side]
    assert sorted(chosen) == sorted(by_hash[:4])


@given(st.lists(st.sampled_from("abcdefg"), max_size=60), FRACTIONS)
def test_groups_stay_whole(groups: list[str], fraction: float) -> None:
    held_out = splits.by_group(groups, fraction).tolist()
    validating = {group for group, side in zip(groups, held_out, strict=True) if side}
    assert held_out == [group in validating for group in groups]
    assert len(validating) == splits.held_out(len(set(groups)), fraction)


def test_the_last_rows_of_a_series_validate() -> None:
    assert splits.last_part(11, 0.1).tolist() == [False] * 9 + [True] * 2
    assert splits.last_part(1, 0.5).tolist() == [False]


def _stratified(rows: list[tuple[int, int]], fraction: float) -> list[bool]:
    labels = np.array([label for label, _ in rows], dtype=np.int64)
    return splits.stratified(labels, [str(row[1]).encode() for row in rows], fraction).tolist()
