"""How text becomes words, and words become numbers: one stated rule, the same everywhere.

A text is put into NFC and, unless told otherwise, into lower case. A word is a run of letters and
digits with `'`, `’` or `-` inside; every other character that is no space is a word of its own. The
literal `<unk>` is the unknown word.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from service.domain.shapes import END_OF_TEXT

UNKNOWN = "<unk>"
END = "<eos>"
UNKNOWN_INDEX = 0
END_INDEX = END_OF_TEXT
SPECIAL = (UNKNOWN, END)

DEFAULT_MAX_VOCABULARY = 50_000

_LONG = 1 << 21
"""So many characters are quicker by `numbering`; for fewer it is not worth bringing polars."""

_BLOCK = 1 << 24  # characters that are numbered at once
_PIECES_KEPT = 1 << 16

_WORD = re.compile(r"<unk>|\w+(?:['’-]\w+)*|\S")


def tokenize(text: str, *, lowercase: bool = True) -> list[str]:
    """Cut a text into words by the rule of this module."""
    text = unicodedata.normalize("NFC", text)
    if lowercase:
        # Lower case can leave NFC ("ẖ" from a capital with a mark), so it is normalised again.
        text = unicodedata.normalize("NFC", text.lower())
    return _WORD.findall(text)


class WordNumbers:
    """Numbers words in the order of their first appearance."""

    def __init__(self, *, lowercase: bool = True) -> None:
        self.numbers: dict[str, int] = {}
        self._lowercase = lowercase
        self._cut = lru_cache(maxsize=_PIECES_KEPT)(self._numbers_of)

    def of(self, lines: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the numbers of all lines' words, one line after the other, and their lengths."""
        if sum(map(len, lines)) >= _LONG:
            # It brings polars, which starts threads: never in a process that jobs are forked from.
            from service.datasets.numbering import numbered  # noqa: PLC0415

            return numbered(lines, self._cut)
        cut = [self._numbers_of(line) for line in lines]
        lengths = np.fromiter(map(len, cut), dtype=np.int32)
        return np.fromiter(chain.from_iterable(cut), dtype=np.int32), lengths

    def _numbers_of(self, text: str) -> list[int]:
        numbers = self.numbers
        tokens = tokenize(text, lowercase=self._lowercase)
        return [numbers.setdefault(token, len(numbers)) for token in tokens]


def _blocks(lines: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut after every line in which a further `_BLOCK` characters are full."""
    full = np.cumsum(np.fromiter(map(len, lines), dtype=np.int64)) // _BLOCK
    ends = np.flatnonzero(np.diff(full)) + 1
    for first, last in pairwise([0, *ends.tolist(), len(lines)]):
        yield lines[first:last]


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A text as numbers: word `words[ids[i]]`; line n is `ids[starts[n]:starts[n + 1]]`.

    Numbers are given in the order of first appearance, whatever the split will be; lines without a
    word are left out.
    """

    words: list[str]
    ids: NDArray[np.int32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, lines: Sequence[str], *, lowercase: bool = True) -> Self:
        """Number the words of all lines."""
        words = WordNumbers(lowercase=lowercase)
        parts = [words.of(block) for block in _blocks(lines)]
        ids = np.concatenate([np.zeros(0, dtype=np.int32), *(ids for ids, _ in parts)])
        ends = np.cumsum(np.concatenate([[0], *(lengths[lengths > 0] for _, lengths in parts)]))
        return cls(words=list(words.numbers), ids=ids, starts=ends.astype(np.int64))

    @property
    def lines(self) -> int:
        """Count the lines that hold a word."""
        return len(self.starts) - 1

    def line(self, number: int) -> list[str]:
        """Return the words of one line."""
        first, last = int(self.starts[number]), int(self.starts[number + 1])
        return [self.words[index] for index in self.ids[first:last].tolist()]

    def counts(self, ids: NDArray[np.int32]) -> NDArray[np.int64]:
        """Count every word of the corpus among `ids`."""
        return np.bincount(ids, minlength=len(self.words))


@dataclass(frozen=True)
class Vocabulary:
    """The words a model knows: 0 is `<unk>`, 1 is `<eos>`, then the most frequent first."""

    tokens: tuple[str, ...]

    @classmethod
    def build(
        cls, words: Sequence[str], counts: NDArray[np.int64], *, min_count: int, maximum: int
    ) -> Self:
        """Take words seen at least `min_count` times, at most `maximum` with the special ones.

        Words of equal count are ordered by code point, so that equal texts give equal vocabularies.
        """
        seen = zip(words, counts.tolist(), strict=True)
        kept = [(-count, word) for word, count in seen if count >= min_count and word != UNKNOWN]
        kept.sort()
        return cls((*SPECIAL, *(word for _, word in kept[: maximum - len(SPECIAL)])))

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def indices(self) -> dict[str, int]:
        """Find a word's index."""
        return {token: index for index, token in enumerate(self.tokens)}

    def translate(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Return the index of every word; unknown ones have that of `<unk>`."""
        find = self.indices.get
        return np.array([find(word, UNKNOWN_INDEX) for word in words], dtype=np.int64)


def vocabulary_size(
    words: Sequence[str], counts: NDArray[np.int64], *, min_count: int, maximum: int
) -> int:
    """Return the length that `Vocabulary.build` would give, without sorting anything."""
    seen = zip(words, counts.tolist(), strict=True)
    kept = sum(count >= min_count and word != UNKNOWN for word, count in seen)
    return min(kept + len(SPECIAL), maximum)
