"""Which examples validate: a function of the examples alone, so every job sees the same split.

Text lines and images are chosen by a hash, as good as at random; running text gives its last part.
"""

import hashlib
from math import ceil

import numpy as np
from numpy.typing import NDArray

from service.datasets.words import Corpus
from service.domain.datasets import SequenceUnit

VALIDATION_FRACTION = 0.1


def held_out(count: int, fraction: float) -> int:
    """Return ⌈fraction · count⌉, but leave one to train on."""
    # 0.1 · 30 is 3.0000000000000004 in binary: rounded first, so that it counts as 3.
    return min(ceil(round(fraction * count, 9)), count - 1) if count > 1 else 0


def validation_lines(corpus: Corpus, fraction: float) -> NDArray[np.bool_]:
    """Mark the lines that validate: the distinct lines with the smallest SHA-256, all copies.

    Equal lines are always on the same side, so no validation line was ever trained on.
    """
    keys = [
        hashlib.sha256(" ".join(corpus.line(number)).encode()).digest()
        for number in range(corpus.lines)
    ]
    distinct = sorted(set(keys))
    chosen = set(distinct[: held_out(len(distinct), fraction)])
    return np.array([key in chosen for key in keys], dtype=np.bool_)


def training_words(corpus: Corpus, sequences: SequenceUnit, fraction: float) -> NDArray[np.bool_]:
    """Mark the words of the training part, the ones a vocabulary is made of."""
    lengths = np.diff(corpus.starts)
    if sequences == "lines":
        return np.repeat(~validation_lines(corpus, fraction), lengths)
    # A stream predicts every word and, at the end of its line, <eos>: one place more per line.
    places = np.arange(len(corpus.ids)) + np.repeat(np.arange(corpus.lines), lengths)
    return places < training_places(corpus, fraction)


def training_places(corpus: Corpus, fraction: float) -> int:
    """Count what a stream predicts in its first part, which trains: words and ends of lines."""
    places = len(corpus.ids) + corpus.lines
    return places - held_out(places, fraction)


def pieces(lengths: NDArray[np.int64], sequence_length: int) -> int:
    """Count the sequences that lines of so many words, each with its <eos>, are cut into."""
    return int((-(-(lengths + 1) // sequence_length)).sum())


def validation_images(labels: NDArray[np.int64], fraction: float) -> NDArray[np.bool_]:
    """Mark the images that validate: of each class those whose index has the smallest SHA-256."""
    marked = np.zeros(len(labels), dtype=np.bool_)
    order = sorted(range(len(labels)), key=_hash_of_index)
    by_class = np.asarray(labels)[order]
    positions = np.array(order, dtype=np.int64)
    for label in np.unique(labels):
        members = positions[by_class == label]
        marked[members[: held_out(len(members), fraction)]] = True
    return marked


def _hash_of_index(index: int) -> bytes:
    return hashlib.sha256(str(index).encode()).digest()
