"""The split is a function of the examples: always the same, and never one example on both sides."""

from random import Random

import numpy as np
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


def _held_out(lines: list[str], fraction: float) -> set[str]:
    held_out = splits.validation_lines(Corpus.of(lines), fraction)
    return {line for line, side in zip(lines, held_out.tolist(), strict=True) if side}
