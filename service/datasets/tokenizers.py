"""Tokenizers: how a text becomes the words, characters or pieces that a model knows.

`word` is the rule of `words.py`. `char` gives every character, spaces and line breaks too; Hangul
is in NFC, so a syllable is one. `bpe` gives pieces of words, found by merging what stands together
often (byte pair encoding, Sennrich et al. 2016): white space is one space, which is kept at the
beginning of the piece after it, and marks and digits stand alone. All are in NFC, and in lower case
if asked. A tokenizer learns from the training part alone, and equal texts make equal ones.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# tokenizers leaves parts of its interface untyped.

import json
import sys
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from tokenizers import Tokenizer as HuggingFaceTokenizer
from tokenizers import models, pre_tokenizers, trainers

from service.datasets.words import SPECIAL, UNKNOWN, UNKNOWN_INDEX, Vocabulary, tokenize

TokenizerName = Literal["word", "char", "bpe"]
TOKENS_PER_WORD: Mapping[TokenizerName, float] = {"word": 1.0, "char": 6.0, "bpe": 1.5}
"""About how many tokens a word has, its space included: for plans."""

SPACE = "\u2581"
"""How `bpe` writes a space inside its pieces."""

_CLOSING = frozenset(".,:;!?)]}%…。、，！？」』）")
_OPENING = frozenset("([{「『（")

_LONGEST = 1000  # letters of a word, in learning: its time is quadratic in them
_WORDS_KEPT = 1 << 16


class Tokenizer(Protocol):
    """A rule and the vocabulary that was learned with it."""

    @property
    def name(self) -> TokenizerName:
        """How a job asks for it."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens that it knows."""
        ...

    def split(self, text: str) -> list[str]:
        """Cut a text into tokens; an unknown one is as it stands in the text."""
        ...

    def shown(self, token: str) -> str:
        """Write a token so that it can be put behind a text."""
        ...

    def behind(self, text: str, token: str) -> str:
        """Write a token as it stands behind a text, with what belongs between them."""
        ...

    def kept(self) -> dict[str, JsonValue]:
        """Return what `restore` needs beside vocabulary and case."""
        ...


class WordTokenizer:
    """Words by the rule of `words.py`."""

    name: TokenizerName = "word"

    def __init__(self, vocabulary: Vocabulary, *, lowercase: bool) -> None:
        self.vocabulary = vocabulary
        self._lowercase = lowercase

    def split(self, text: str) -> list[str]:
        """Cut a text into words."""
        return tokenize(text, lowercase=self._lowercase)

    def shown(self, token: str) -> str:
        """Write a word as it is; a space belongs between two."""
        return token

    def behind(self, text: str, token: str) -> str:
        """Write a word behind a space, unless one is there, or the word is a mark that closes."""
        joined = not text or text[-1].isspace() or text[-1] in _OPENING or token in _CLOSING
        return token if joined else f" {token}"

    def kept(self) -> dict[str, JsonValue]:
        """Return nothing: the rule is fixed."""
        return {}


class CharTokenizer:
    """Every character is a token."""

    name: TokenizerName = "char"

    def __init__(self, vocabulary: Vocabulary, *, lowercase: bool) -> None:
        self.vocabulary = vocabulary
        self._lowercase = lowercase

    def split(self, text: str) -> list[str]:
        """Cut a text into characters."""
        return list(normalized(text, lowercase=self._lowercase))

    def shown(self, token: str) -> str:
        """Write a character as it is."""
        return token

    def behind(self, text: str, token: str) -> str:
        """Write a character as it is."""
        del text
        return token

    def kept(self) -> dict[str, JsonValue]:
        """Return nothing: the rule is fixed."""
        return {}


class BpeTokenizer:
    """Pieces of words, by the merges that were learned."""

    name: TokenizerName = "bpe"

    def __init__(
        self, vocabulary: Vocabulary, merges: Sequence[tuple[str, str]], *, lowercase: bool
    ) -> None:
        self.vocabulary = vocabulary
        self._merges = list(merges)
        self._lowercase = lowercase
        self._tokenizer = HuggingFaceTokenizer(
            models.BPE(vocab=vocabulary.indices, merges=self._merges, unk_token=UNKNOWN)
        )
        self._tokenizer.pre_tokenizer = _pieces_of_words()
        # No piece reaches over a space, and most words come again: ten times as quick.
        self._pieces = lru_cache(maxsize=_WORDS_KEPT)(self._cut)

    def split(self, text: str) -> list[str]:
        """Cut a text into pieces; what is no part of any is a token of its own."""
        words = normalized(text, lowercase=self._lowercase).split()
        return [piece for word in words for piece in self._pieces(word)]

    def _cut(self, word: str) -> list[str]:
        found: Any = self._tokenizer.encode(word)
        return [
            token if index != UNKNOWN_INDEX else word[slice(*place)]
            for token, index, place in zip(found.tokens, found.ids, found.offsets, strict=True)
        ]

    def shown(self, token: str) -> str:
        """Write a piece with a space in front where a word begins."""
        return token.replace(SPACE, " ")

    def behind(self, text: str, token: str) -> str:
        """Write a piece with its space, unless one is there."""
        shown = self.shown(token)
        return shown.removeprefix(" ") if not text or text[-1].isspace() else shown

    def kept(self) -> dict[str, JsonValue]:
        """Return the merges, in their order."""
        return {"merges": [[*pair] for pair in self._merges]}


def largest_vocabulary(name: TokenizerName, *, words: int | None = None) -> int:
    """Bound a vocabulary from above, before the text is read, where `words` differ in it.

    Of characters there are seldom more: Hangul has 11,172 syllables.
    """
    if name == "char":
        return 12_000
    return sys.maxsize if name == "bpe" or words is None else words + len(SPECIAL)


def learn(
    name: TokenizerName, texts: Iterable[str], *, lowercase: bool, min_count: int, maximum: int
) -> Tokenizer:
    """Make a tokenizer of the training texts, with at most `maximum` tokens.

    Words and characters seen fewer than `min_count` times are unknown; of pieces, pairs seen so
    seldom are not merged.
    """
    if name == "bpe":
        return _learn_pieces(texts, lowercase=lowercase, min_count=min_count, maximum=maximum)
    empty = restore(name, SPECIAL, {}, lowercase=lowercase)
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(empty.split(text))
    vocabulary = Vocabulary.build(
        list(counts),
        np.array(list(counts.values()), dtype=np.int64),
        min_count=min_count,
        maximum=maximum,
    )
    return restore(name, vocabulary.tokens, {}, lowercase=lowercase)


def restore(
    name: TokenizerName, tokens: Sequence[str], kept: Mapping[str, Any], *, lowercase: bool
) -> Tokenizer:
    """Make a tokenizer again of what was kept of it."""
    vocabulary = Vocabulary(tuple(tokens))
    if name == "char":
        return CharTokenizer(vocabulary, lowercase=lowercase)
    if name == "bpe":
        merges = [(left, right) for left, right in kept["merges"]]
        return BpeTokenizer(vocabulary, merges, lowercase=lowercase)
    return WordTokenizer(vocabulary, lowercase=lowercase)


def encode(
    tokenizer: Tokenizer, texts: Iterable[str], *, longest: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of all texts' tokens, one text after the other, and each one's length."""
    find = tokenizer.vocabulary.indices.get
    ids, lengths = array("q"), array("q")
    for text in texts:
        tokens = tokenizer.split(text)[:longest]
        ids.extend([find(token, UNKNOWN_INDEX) for token in tokens])
        lengths.append(len(tokens))
    return np.array(ids, dtype=np.int64), np.array(lengths, dtype=np.int64)


def normalized(text: str, *, lowercase: bool) -> str:
    """Put a text into NFC, and into lower case if asked."""
    text = unicodedata.normalize("NFC", text)
    # Lower case can leave NFC ("ẖ" from a capital with a mark), so it is normalised again.
    return unicodedata.normalize("NFC", text.lower()) if lowercase else text


def _learn_pieces(
    texts: Iterable[str], *, lowercase: bool, min_count: int, maximum: int
) -> BpeTokenizer:
    spaced = [_single_spaced(text, lowercase=lowercase) for text in texts]
    learning = HuggingFaceTokenizer(models.BPE(unk_token=UNKNOWN))
    learning.pre_tokenizer = _pieces_of_words()
    alphabet = _alphabet(spaced, min_count=min_count, maximum=maximum)
    trainer = trainers.BpeTrainer(
        vocab_size=maximum,
        min_frequency=max(2, min_count),  # what stands together once says nothing
        special_tokens=list(SPECIAL),
        # Given whole: by itself the trainer chooses among equally frequent ones at random.
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    learning.train_from_iterator(map(_without_long_words, spaced), trainer)
    learned: Any = json.loads(learning.to_str())["model"]
    places: dict[str, int] = learned["vocab"]
    merges = [(str(left), str(right)) for left, right in learned["merges"]]
    vocabulary = Vocabulary(tuple(sorted(places, key=lambda token: places[token])))
    return BpeTokenizer(vocabulary, merges, lowercase=lowercase)


def _without_long_words(text: str) -> str:
    """Cut words that go on and on."""
    words = text.split(" ")
    if max(map(len, words)) <= _LONGEST:
        return text
    return " ".join(
        word[first : first + _LONGEST]
        for word in words
        for first in range(0, max(1, len(word)), _LONGEST)
    )


def _alphabet(texts: Iterable[str], *, min_count: int, maximum: int) -> list[str]:
    """Choose the characters that are seen most, those of equal count by their code point."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(SPACE + text.replace(" ", SPACE))
    ranked = sorted((-count, letter) for letter, count in counts.items() if count >= min_count)
    return [letter for _, letter in ranked[: maximum - len(SPECIAL)]]


def _pieces_of_words() -> pre_tokenizers.PreTokenizer:
    """Cut before spaces, around punctuation and digits: no piece reaches over."""
    # A telephone number is seen once, its digits often: that is what gives spam away.
    digits = pre_tokenizers.Digits(individual_digits=True)
    steps = [pre_tokenizers.Metaspace(SPACE), pre_tokenizers.Punctuation(), digits]
    return pre_tokenizers.Sequence(steps)


def _single_spaced(text: str, *, lowercase: bool) -> str:
    return " ".join(normalized(text, lowercase=lowercase).split())
