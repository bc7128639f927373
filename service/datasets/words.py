"""How text becomes words, and words become numbers: one stated rule, the same everywhere.

A text is put into NFC and, unless told otherwise, into lower case. A word is a run of letters and
digits with `'`, `’` or `-` inside; every other character that is no space is a word of its own. The
literal `<unk>` is the unknown word.
"""

import re
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
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

_WORD = re.compile(r"<unk>|\w+(?:['’-]\w+)*|\S")


def tokenize(text: str, *, lowercase: bool = True) -> list[str]:
    """Cut a text into words by the rule of this module."""
    text = unicodedata.normalize("NFC", text)
    if lowercase:
        # Lower case can leave NFC ("ẖ" from a capital with a mark), so it is normalised again.
        text = unicodedata.normalize("NFC", text.lower())
    return _WORD.findall(text)


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
    def of(cls, lines: Iterable[str], *, lowercase: bool = True) -> Self:
        """Number the words of all lines."""
        numbers: dict[str, int] = {}
        ids = array("i")
        starts = array("q", [0])
        for line in lines:
            tokens = tokenize(line, lowercase=lowercase)
            if tokens:
                ids.extend([numbers.setdefault(token, len(numbers)) for token in tokens])
                starts.append(len(ids))
        return cls(
            words=list(numbers),
            ids=np.array(ids, dtype=np.int32),
            starts=np.array(starts, dtype=np.int64),
        )

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
