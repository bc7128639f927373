"""Tokenizers: what they cut, what they know, and that equal texts make equal ones."""

import json
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.datasets import tokenizers
from service.datasets.tokenizers import Tokenizer, TokenizerName
from service.datasets.words import END_INDEX, SPECIAL, UNKNOWN_INDEX

KOREAN = ["밥을 먹었어요", "밥은 맛있어요!", "국을 먹었어요", "Rice를 먹었어요"]
NAMES: list[TokenizerName] = ["word", "char", "bpe"]
TEXTS = st.lists(
    st.text(st.sampled_from("aAé밥을 \n.<unkeos>▁1\u1100\u1161"), max_size=12), max_size=6
)


def learned(
    name: TokenizerName,
    texts: list[str] | None = None,
    *,
    lowercase: bool = True,
    min_count: int = 1,
    maximum: int = 50,
) -> Tokenizer:
    texts = KOREAN if texts is None else texts
    return tokenizers.learn(name, texts, lowercase=lowercase, min_count=min_count, maximum=maximum)


def test_words_are_cut_by_the_rule_of_words() -> None:
    assert learned("word").split("밥을 먹었어요!") == ["밥을", "먹었어요", "!"]


def test_a_character_is_a_syllable_a_space_or_a_line_break() -> None:
    decomposed = unicodedata.normalize("NFD", "밥을 먹\n")

    assert learned("char").split(decomposed) == ["밥", "을", " ", "먹", "\n"]


def test_pieces_are_what_stands_together_often() -> None:
    pieces = learned("bpe").split("밥을  먹었어요!")

    assert "▁먹었어요" in pieces
    assert pieces[-1] == "!"  # a mark stands alone
    assert "".join(pieces).replace("▁", " ") == " 밥을 먹었어요!"


@pytest.mark.parametrize("name", NAMES)
def test_the_case_is_kept_where_asked(name: TokenizerName) -> None:
    kept = learned(name, ["Rice RICE Rice RICE"], lowercase=False)

    assert any("R" in token for token in kept.vocabulary.tokens)
    assert not any("R" in token for token in learned(name).vocabulary.tokens)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_not_seen_is_unknown_and_named_as_it_stands(name: TokenizerName) -> None:
    tokenizer = learned(name)

    unknown = [
        token
        for token in tokenizer.split("먹었어요 뷁")
        if token not in tokenizer.vocabulary.indices
    ]

    assert unknown == ["뷁"]
    assert tokenizers.encode(tokenizer, ["뷁"])[0][-1] == UNKNOWN_INDEX


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("maximum", [3, 6, 20])
def test_a_vocabulary_is_never_larger_than_asked(name: TokenizerName, maximum: int) -> None:
    vocabulary = learned(name, maximum=maximum).vocabulary

    assert vocabulary.tokens[:2] == SPECIAL
    assert 2 < len(vocabulary) <= maximum


@pytest.mark.parametrize("name", NAMES)
def test_what_is_seen_seldom_is_unknown(name: TokenizerName) -> None:
    vocabulary = learned(name, ["a a a a b", "a"], min_count=2).vocabulary

    assert "b" not in "".join(vocabulary.tokens[2:])
    assert "a" in "".join(vocabulary.tokens[2:])


@given(st.sampled_from(NAMES), TEXTS, TEXTS, st.booleans())
def test_a_tokenizer_that_is_kept_as_json_comes_back_the_same(
    name: TokenizerName, training: list[str], others: list[str], lowercase: bool
) -> None:
    made = learned(name, training, lowercase=lowercase)

    kept = json.loads(json.dumps(made.kept()))
    again = tokenizers.restore(name, made.vocabulary.tokens, kept, lowercase=lowercase)

    assert [again.split(text) for text in others] == [made.split(text) for text in others]
    assert again.vocabulary == made.vocabulary


@given(st.sampled_from(NAMES), TEXTS, TEXTS)
def test_no_text_holds_the_end_of_texts(
    name: TokenizerName, training: list[str], others: list[str]
) -> None:
    tokenizer = learned(name, [*training, "<eos> <eos> <eos>"])

    ids, lengths = tokenizers.encode(tokenizer, ["<eos>", *others])

    assert END_INDEX not in ids
    assert lengths.sum() == len(ids)


def test_pieces_are_learned_alike_in_every_process() -> None:
    script = (
        "import json; from service.datasets import tokenizers as t;"
        "texts = [chr(97 + n * n % 26) * 2 + chr(97 + n * 7 % 26) for n in range(500)];"
        "made = t.learn('bpe', texts, lowercase=True, min_count=1, maximum={});"
        "print(json.dumps([made.vocabulary.tokens, made.kept()]))"
    )
    for maximum in (9, 60):  # smaller than the alphabet, and larger
        runs = {
            subprocess.check_output([sys.executable, "-c", script.format(maximum)])
            for _ in range(3)
        }
        assert len(runs) == 1


def test_pieces_are_learned_of_the_parts_of_an_endless_word() -> None:
    endless = "ab" * 4000 + "c" * 8
    made = learned("bpe", [endless, endless], maximum=60)

    assert 500 < max(map(len, made.vocabulary.tokens)) <= 1001  # and the space before it
    assert "".join(made.split(endless)) == "\u2581" + endless


def test_longer_texts_are_cut_to_their_first_tokens() -> None:
    ids, lengths = tokenizers.encode(learned("char"), ["밥을 먹", "밥"], longest=3)

    assert lengths.tolist() == [3, 1]
    assert len(ids) == 4
