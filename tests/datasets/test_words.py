"""One rule cuts every text into words, in every script."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.datasets.words import Corpus, Vocabulary, tokenize, vocabulary_size


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I like eating, don't you?", ["i", "like", "eating", ",", "don't", "you", "?"]),
        (
            "내가 즐겨 먹는 것은 김치찌개입니다.",
            ["내가", "즐겨", "먹는", "것은", "김치찌개입니다", "."],
        ),
        ("well-known rock ’n’ roll", ["well-known", "rock", "’", "n", "’", "roll"]),
        ("a <unk> <eos>", ["a", "<unk>", "<", "eos", ">"]),
        ("x = f(x_1)", ["x", "=", "f", "(", "x_1", ")"]),
        ("3.14", ["3", ".", "14"]),
        (" \t\u3000 ", []),
    ],
)
def test_a_word_is_a_run_of_letters_and_digits_and_other_characters_stand_alone(
    text: str, words: list[str]
) -> None:
    assert tokenize(text) == words


def test_case_is_kept_when_asked() -> None:
    assert tokenize("I Like", lowercase=False) == ["I", "Like"]


def test_a_syllable_typed_in_parts_is_the_same_word() -> None:
    assert tokenize(unicodedata.normalize("NFD", "한국")) == ["한국"]


@given(st.text())
def test_words_read_again_are_the_same_words(text: str) -> None:
    words = tokenize(text)
    assert tokenize(" ".join(words)) == words


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n")), max_size=8))
def test_a_corpus_holds_every_word_of_every_line(lines: list[str]) -> None:
    corpus = Corpus.of(lines)
    held = [words for line in lines if (words := tokenize(line))]
    assert [corpus.line(number) for number in range(corpus.lines)] == held


def test_a_vocabulary_begins_with_the_special_words_then_the_most_frequent() -> None:
    counts = np.array([1, 3, 1, 2, 9])
    words = ["b", "c", "a", "d", "<unk>"]
    built = Vocabulary.build(words, counts, min_count=1, maximum=5)
    assert built.tokens == ("<unk>", "<eos>", "c", "d", "a")


@given(
    st.dictionaries(st.text(min_size=1), st.integers(0, 5), max_size=20),
    st.integers(1, 5),
    st.integers(3, 10),
)
def test_the_size_told_beforehand_is_the_size_of_the_vocabulary(
    counted: dict[str, int], min_count: int, maximum: int
) -> None:
    words, counts = list(counted), np.array(list(counted.values()), dtype=np.int64)
    built = Vocabulary.build(words, counts, min_count=min_count, maximum=maximum)
    assert len(built) == vocabulary_size(words, counts, min_count=min_count, maximum=maximum)


def test_a_word_outside_the_vocabulary_is_unknown() -> None:
    vocabulary = Vocabulary(("<unk>", "<eos>", "rice"))
    assert vocabulary.translate(["rice", "pizza", "<unk>"]).tolist() == [2, 0, 0]
