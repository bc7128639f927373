"""Which examples validate: a function of the examples alone, so every job sees the same split.

Lines, rows and images are chosen by a hash, as good as at random; running text and series give
their last part.
"""

import hashlib
from collections.abc import Iterable
from math import ceil

import numpy as np
from numpy.typing import NDArray

from service.datasets.words import Corpus
from service.domain.datasets import SequenceUnit

VALIDATION_FRACTION = 0.1


def held_out(count: int, fraction: float) -> int:
    """Return ⌈fraction · count⌉, but leave one to train on."""
    # 0.1 · 30 is 3.0000000000000004 in binary: rounded first, so that it counts as 3.
    return min(max(1, ceil(round(fraction * count, 9))), count - 1) if count > 1 else 0


def validation_lines(
    corpus: Corpus, fraction: float, *, trained: int | None = None
) -> NDArray[np.bool_]:
    """Mark the lines that validate: the distinct lines with the smallest SHA-256, all copies.

    Equal lines are always on the same side, so no validation line was ever trained on. Where the
    data bring a split, the first `trained` lines train and the others validate.
    """
    if trained is not None:
        return np.arange(corpus.lines) >= trained
    keys = [
        hashlib.sha256(" ".join(corpus.line(number)).encode()).digest()
        for number in range(corpus.lines)
    ]
    distinct = sorted(set(keys))
    chosen = set(distinct[: held_out(len(distinct), fraction)])
    return np.array([key in chosen for key in keys], dtype=np.bool_)


def training_words(
    corpus: Corpus, sequences: SequenceUnit, fraction: float, *, trained: int | None = None
) -> NDArray[np.bool_]:
    """Mark the words of the training part, the ones a vocabulary is made of."""
    lengths = np.diff(corpus.starts)
    if sequences == "lines":
        return np.repeat(~validation_lines(corpus, fraction, trained=trained), lengths)
    # A stream predicts every word and, at the end of its line, <eos>: one place more per line.
    places = np.arange(len(corpus.ids)) + np.repeat(np.arange(corpus.lines), lengths)
    return places < training_places(corpus, fraction, trained=trained)


def training_places(corpus: Corpus, fraction: float, *, trained: int | None = None) -> int:
    """Count what a stream predicts in its first part, which trains: words and ends of lines."""
    if trained is not None:
        return int(corpus.starts[trained]) + trained
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


def stratified(
    labels: NDArray[np.int64], keys: Iterable[bytes], fraction: float
) -> NDArray[np.bool_]:
    """Mark the rows that validate: of each class the distinct keys with the smallest SHA-256.

    Rows of one key are on the same side, whatever their classes: such a key counts for the rarest
    of them. Every class keeps a row to train on.
    """
    # Eight bytes order the keys as the whole hash does, but for a chance of one in 10⁷ among a
    # million; then two keys are on the same side, which harms nobody.
    hashes, rows = np.unique(_hashes(keys), return_inverse=True)
    _, classes = np.unique(labels, return_inverse=True)
    pairs = np.unique(np.stack([rows, classes], axis=1), axis=0)  # by key, and so by hash
    sizes = np.bincount(pairs[:, 1])
    rarest_first = np.lexsort((pairs[:, 1], sizes[pairs[:, 1]], pairs[:, 0]))
    owner = pairs[rarest_first][np.unique(pairs[rarest_first, 0], return_index=True)[1], 1]
    by_owner = np.argsort(owner, kind="stable")
    counts = np.bincount(owner, minlength=len(sizes))
    rank = np.empty(len(hashes), dtype=np.int64)
    rank[by_owner] = np.arange(len(hashes)) - np.repeat(np.cumsum(counts) - counts, counts)
    wanted = np.array([held_out(count, fraction) for count in counts.tolist()], dtype=np.int64)
    chosen = rank < wanted[owner]
    trained = np.bincount(pairs[~chosen[pairs[:, 0]], 1], minlength=len(sizes))
    chosen[pairs[trained[pairs[:, 1]] == 0, 0]] = False
    return chosen[rows]


def by_key(keys: Iterable[bytes], fraction: float) -> NDArray[np.bool_]:
    """Mark the rows that validate: the distinct keys with the smallest SHA-256, all copies."""
    hashes, rows = np.unique(_hashes(keys), return_inverse=True)
    return rows < held_out(len(hashes), fraction)


def by_group(groups: Iterable[str], fraction: float) -> NDArray[np.bool_]:
    """Mark the rows that validate: whole groups, ⌈fraction · groups⌉ of them, however large."""
    return by_key((group.encode() for group in groups), fraction)


def last_part(count: int, fraction: float) -> NDArray[np.bool_]:
    """Mark the last rows of a series: what comes later is told from what was before."""
    return np.arange(count) >= count - held_out(count, fraction)


def _hashes(keys: Iterable[bytes]) -> NDArray[np.uint64]:
    digests = b"".join([hashlib.sha256(key).digest()[:8] for key in keys])
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def _hash_of_index(index: int) -> bytes:
    return hashlib.sha256(str(index).encode()).digest()
