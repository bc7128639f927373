"""Texts: checked once when they come in, described by facts, loaded as lines.

Every broken line is named (the first 100), because someone has to repair them.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np

from service.datasets import splits
from service.datasets.base import TextData
from service.datasets.findings import Findings
from service.datasets.splits import VALIDATION_FRACTION, training_words
from service.datasets.words import DEFAULT_MAX_VOCABULARY, Corpus, vocabulary_size
from service.domain.datasets import SequenceUnit, TextDatasetSpec, TextFacts
from service.domain.problems import FieldError, Invalid, TooLarge, invalid_field

MIN_STREAM_WORDS = 10
MIN_COUNTS = 20
"""The facts tell the vocabulary's size for a minimum count of 1 up to this."""

SEQUENCE_LENGTHS: dict[SequenceUnit, int] = {"lines": 64, "stream": 32}
"""The longest piece of a line, and the window of running text, when a job does not say."""

_MAX_ERRORS = 100
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_LINE_BREAK_BYTES = re.compile(rb"\r\n|\r|\n")


def check(content: BinaryIO, spec: TextDatasetSpec) -> TextFacts:
    """Return the facts of a text. Raises Invalid for what cannot be read or is too small."""
    text = _decode(content.read())
    corpus = Corpus.of(_LINE_BREAK.split(text))
    _refuse_small(corpus, spec.sequences)
    training = training_words(corpus, spec.sequences, VALIDATION_FRACTION)
    counts = corpus.counts(corpus.ids[training])
    return TextFacts(
        sequences=spec.sequences,
        lines=corpus.lines,
        words=len(corpus.ids),
        distinct_words=len(corpus.words),
        vocabulary_sizes=[
            vocabulary_size(corpus.words, counts, min_count=least, maximum=DEFAULT_MAX_VOCABULARY)
            for least in range(1, MIN_COUNTS + 1)
        ],
        training_examples=_training_examples(corpus, spec.sequences),
    )


def check_files(
    files: Mapping[str, BinaryIO],
    spec: TextDatasetSpec,
    max_decoded_bytes: int,
    findings: Findings,
) -> TextFacts:
    """Return the facts of a text and its one file. Raises Invalid, TooLarge."""
    errors = [
        FieldError(pointer=f"/{role}", detail="is no part of a text: use file")
        for role in files
        if role != "file"
    ]
    if "file" not in files:
        errors.append(FieldError(pointer="/file", detail="is missing; add the text as this file"))
    if errors:
        raise Invalid(
            f"The files do not fit: {errors[0].pointer} {errors[0].detail}.", errors=errors
        )
    content = files["file"]
    beginning = content.tell()
    if content.seek(0, 2) - beginning > max_decoded_bytes:
        raise TooLarge(f"The text has more than {max_decoded_bytes:,} bytes; send less.")
    content.seek(beginning)
    return check(content, spec)


def load(content: bytes, facts: TextFacts) -> TextData:
    """Read a stored text that was checked before."""
    lines = _LINE_BREAK.split(unicodedata.normalize("NFC", content.decode("utf-8-sig")))
    return TextData(facts=facts, lines=[line for line in lines if line.strip()])


def _training_examples(corpus: Corpus, sequences: SequenceUnit) -> int:
    if sequences == "stream":
        return splits.training_places(corpus, VALIDATION_FRACTION)
    training = ~splits.validation_lines(corpus, VALIDATION_FRACTION)
    return splits.pieces(np.diff(corpus.starts)[training], SEQUENCE_LENGTHS["lines"])


def _decode(content: bytes) -> str:
    """Return the text in NFC. Raises Invalid naming every line that is no text."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(content, error) from None
    if "\0" in text:
        detail = "holds a NUL character, which no text has; remove it"
        lines = enumerate(_LINE_BREAK.split(text), start=1)
        raise _unreadable([_at_line(number, detail) for number, line in lines if "\0" in line])
    return unicodedata.normalize("NFC", text)


def _not_utf8(content: bytes, error: UnicodeDecodeError) -> Invalid:
    errors: list[FieldError] = []
    for number, line in enumerate(_LINE_BREAK_BYTES.split(content), start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as broken:
            detail = f"is not UTF-8 at byte {broken.start + 1} of the line; save the file as UTF-8"
            errors.append(_at_line(number, detail))
        if len(errors) == _MAX_ERRORS:
            break
    if errors:
        return _unreadable(errors)
    return invalid_field("/file", f"is not UTF-8 at byte {error.start + 1}; save it as UTF-8")


def _unreadable(errors: list[FieldError]) -> Invalid:
    return Invalid(
        f"The text cannot be read: its line {errors[0].line} {errors[0].detail}.",
        errors=errors[:_MAX_ERRORS],
    )


def _at_line(number: int, detail: str) -> FieldError:
    return FieldError(pointer="/file", detail=detail, line=number)


def _refuse_small(corpus: Corpus, sequences: SequenceUnit) -> None:
    if corpus.lines == 0:
        raise invalid_field("/file", "is empty: it holds no word; send text to learn from")
    if sequences == "stream":
        if len(corpus.ids) < MIN_STREAM_WORDS:
            least = f"at least {MIN_STREAM_WORDS} words"
            raise invalid_field("/file", f"is a dataset too small: send {least} of running text")
        return
    first = corpus.line(0)
    if all(corpus.line(number) == first for number in range(1, corpus.lines)):
        detail = "is a dataset too small: send at least two different lines that hold a word"
        raise invalid_field("/file", f"{detail}, one to learn from and one to validate")
