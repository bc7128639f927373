"""Texts: checked once when they come in, described by facts, loaded as lines.

Every broken line is named (the first 100), because someone has to repair them. A text is read piece
by piece, twice: to find the vocabulary and what validates, and to count what is left to learn from.
In memory are one piece, the vocabulary, and twelve bytes a line.
"""

import hashlib
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import pairwise
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.datasets import encodings, splits
from service.datasets.base import TextData
from service.datasets.findings import Findings
from service.datasets.splits import VALIDATION_FRACTION
from service.datasets.two_files import TRAINING, VALIDATION, refuse_wrong_files
from service.datasets.words import DEFAULT_MAX_VOCABULARY, WordNumbers, tokenize, vocabulary_size
from service.domain.datasets import Encoding, SequenceUnit, TextDatasetSpec, TextFacts

MIN_STREAM_WORDS = 10
MIN_COUNTS = 20
"""The facts tell the vocabulary's size for a minimum count of 1 up to this."""

SEQUENCE_LENGTHS: dict[SequenceUnit, int] = {"lines": 64, "stream": 32}
"""The longest piece of a line, and the window of running text, when a job does not say."""

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


def check(
    content: BinaryIO,
    spec: TextDatasetSpec,
    findings: Findings | None = None,
    validation: BinaryIO | None = None,
) -> TextFacts:
    """Return the facts of a text. Raises Invalid for what cannot be read or is too small.

    `validation` is written in the encoding of the text.
    """
    findings = Findings(skip=spec.on_error == "skip") if findings is None else findings
    encoding = spec.encoding or encodings.detect(content)
    beginning = content.tell()
    counter = _Counter(spec.sequences)
    for lines in _lines(content, encoding, findings):
        counter.add(lines)
    test_lines = 0 if validation is None else _test_lines(validation, encoding, findings)
    findings.refuse("text")
    _refuse_small(counter, findings, holds_out=validation is None)
    findings.refuse("text")
    words, total = [*counter.numbers], counter.words
    content.seek(beginning)
    if validation is None:
        training = counter.training(_lines(content, encoding, Findings(skip=True)))
    else:
        training = counter.all()
    return TextFacts(
        sequences=spec.sequences,
        lines=counter.lines,
        words=total,
        distinct_words=len(words),
        vocabulary_sizes=[
            vocabulary_size(words, training.counts, min_count=least, maximum=DEFAULT_MAX_VOCABULARY)
            for least in range(1, MIN_COUNTS + 1)
        ],
        training_examples=training.examples,
        encoding=encoding,
        test_lines=test_lines,
    )


def check_files(
    files: Mapping[str, BinaryIO],
    spec: TextDatasetSpec,
    max_decoded_bytes: int,
    findings: Findings,
) -> TextFacts:
    """Return the facts of a text and its files. Raises Invalid, TooLarge."""
    refuse_wrong_files(files, max_decoded_bytes, what="text")
    return check(files[TRAINING], spec, findings, files.get(VALIDATION))


def load(files: Mapping[str, bytes], facts: TextFacts) -> TextData:
    """Read a stored text that was checked before."""
    read = {role: _with_words(content, facts.encoding) for role, content in files.items()}
    lines, numbers = read[TRAINING]
    test_lines = read[VALIDATION][0] if VALIDATION in read else None
    return TextData(facts=facts, lines=lines, test_lines=test_lines, numbers=numbers)


def _with_words(content: bytes, encoding: Encoding) -> tuple[list[str], NDArray[np.int64]]:
    """Return the lines that hold a word, and the number of each in the file."""
    kept: list[str] = []
    numbers = array("q")
    for piece in encodings.pieces(BytesIO(content), encoding, Findings(skip=True)):
        for number, line in enumerate(_split(piece), start=piece.line):
            if line.strip():
                kept.append(line)
                numbers.append(number)
    return kept, np.frombuffer(numbers, dtype=np.int64)


def _test_lines(content: BinaryIO, encoding: Encoding, findings: Findings) -> int:
    """Count the lines that validate."""
    pieces = _lines(content, encoding, findings, file=VALIDATION)
    count = sum(bool(line.strip()) for lines in pieces for line in lines)
    if not count:
        detail = "is empty: it holds no word; send text to validate with, or leave it out"
        findings.error(f"/{VALIDATION}", "empty", detail)
    return count


def _lines(
    content: BinaryIO, encoding: Encoding, findings: Findings, *, file: str = "file"
) -> Iterator[list[str]]:
    """Read the lines of a text, piece by piece; bad ones are empty."""
    for piece in encodings.pieces(content, encoding, findings, file=file):
        yield _split(piece)


def _split(piece: encodings.Piece) -> list[str]:
    return _LINE_BREAK.split(piece.text.decode())


class _Training(NamedTuple):
    """What there is to learn from with default options: the count of every word, and examples."""

    counts: NDArray[np.int64]
    examples: int


class _Counter:
    """Counts words, and remembers of each line that holds one its length and a hash."""

    def __init__(self, sequences: SequenceUnit) -> None:
        self._words = WordNumbers()
        self.lines = 0
        self.sequences = sequences
        self._counts = np.zeros(0, dtype=np.int64)
        self._hashes = array("Q")
        self._lengths = array("i")
        self._places: list[int] = []
        """What a stream predicts in each piece: its words and the ends of its lines."""

    @property
    def numbers(self) -> Mapping[str, int]:
        """Number every word."""
        return self._words.numbers

    def add(self, lines: Sequence[str]) -> None:
        """Count the words of a piece."""
        ids, lengths = self._words.of(lines)
        lengths = lengths[lengths > 0]
        self.lines += len(lengths)
        counts = self._counted(ids)
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        self._places.append(len(ids) + len(lengths))
        if self.sequences == "lines":
            words = [*self.numbers]
            numbers: list[int] = ids.tolist()
            tokens = [words[number] for number in numbers]
            ends: list[int] = np.cumsum(lengths).tolist()
            self._lengths.extend(lengths.tolist())
            self._hashes.extend(_hash(tokens[first:last]) for first, last in pairwise([0, *ends]))

    @property
    def words(self) -> int:
        """Count all words."""
        return int(self._counts.sum())

    @property
    def distinct_lines(self) -> int:
        """Count the different lines."""
        return len(_distinct(np.frombuffer(self._hashes, dtype=np.uint64)))

    def all(self) -> _Training:
        """Count everything."""
        if self.sequences == "stream":
            return _Training(self._counts, sum(self._places))
        lengths = np.frombuffer(self._lengths, dtype=np.int32).astype(np.int64)
        return _Training(self._counts, splits.pieces(lengths, SEQUENCE_LENGTHS["lines"]))

    def training(self, pieces: Iterator[list[str]]) -> _Training:
        """Count what does not validate, given the same pieces again."""
        if self.sequences == "stream":
            return self._first_part(pieces)
        hashes = np.frombuffer(self._hashes, dtype=np.uint64)
        lengths = np.frombuffer(self._lengths, dtype=np.int32)
        distinct = _distinct(hashes)
        chosen = splits.held_out(len(distinct), VALIDATION_FRACTION)
        validates = (
            hashes < distinct[chosen]
            if chosen < len(distinct)
            else np.ones(len(hashes), dtype=np.bool_)
        )
        examples = splits.pieces(lengths[~validates].astype(np.int64), SEQUENCE_LENGTHS["lines"])
        held_out = array("i")
        with_words = (line for lines in pieces for line in lines if line.strip())
        for line, held in zip(with_words, validates, strict=True):
            if held:
                held_out.extend([self.numbers[token] for token in tokenize(line)])
        return _Training(self._counts - self._counted(held_out), examples)

    def _first_part(self, pieces: Iterator[list[str]]) -> _Training:
        """Leave out the last part of running text; the pieces before it are not cut again."""
        places = sum(self._places)
        trained = places - splits.held_out(places, VALIDATION_FRACTION)
        held_out = array("i")
        at = 0
        for lines, count in zip(pieces, self._places, strict=True):
            at += count
            if at <= trained:
                continue
            at -= count
            for tokens in map(tokenize, lines):
                if tokens:
                    left = tokens[max(0, trained - at) :]
                    held_out.extend([self.numbers[token] for token in left])
                    at += len(tokens) + 1
        return _Training(self._counts - self._counted(held_out), trained)

    def _counted(self, ids: "array[int] | NDArray[np.int32]") -> NDArray[np.int64]:
        """Count every word that is known by now among `ids`."""
        return np.bincount(np.frombuffer(ids, dtype=np.int32), minlength=len(self.numbers))


def _distinct(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the different hashes, sorted; numpy's own `unique` takes many times as long."""
    ordered = np.sort(hashes)
    return ordered[np.diff(ordered, prepend=ordered[:1] + np.uint64(1)) != 0]


def _hash(tokens: list[str]) -> int:
    """Return the first eight bytes of a line's SHA-256, which order lines as the whole one does."""
    return int.from_bytes(hashlib.sha256(" ".join(tokens).encode()).digest()[:8])


def _refuse_small(counter: _Counter, findings: Findings, *, holds_out: bool) -> None:
    if counter.lines == 0:
        detail = "is empty: it holds no word; send text to learn from"
        findings.error("/file", "empty", detail)
    elif counter.sequences == "stream":
        if counter.words < MIN_STREAM_WORDS:
            least = f"at least {MIN_STREAM_WORDS} words"
            detail = f"is a dataset too small: send {least} of running text"
            findings.error("/file", "too_small", detail)
    elif holds_out and counter.distinct_lines < 2:
        detail = "is a dataset too small: send at least two different lines that hold a word"
        detail += ", one to learn from and one to validate"
        findings.error("/file", "too_small", detail)
