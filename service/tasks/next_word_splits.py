"""The two parts of a text for next_word, as tokens: what trains and what validates.

Lines are split alike whatever the tokenizer, by the hash of their words. Running text gives its
last part: counted in words for `word`, for the others in characters, because pieces can only be
learned once it is known what they are learned from.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.datasets import splits, tokenizers
from service.datasets.base import TextData
from service.datasets.text import SEQUENCE_LENGTHS
from service.datasets.tokenizers import Tokenizer, WordTokenizer
from service.datasets.words import END_INDEX, SPECIAL, Corpus, Vocabulary
from service.domain.problems import Invalid, invalid_field
from service.tasks.next_word_options import NextWordOptions, no_word_left
from service.tasks.sequences import LineExamples, StreamExamples


class Split(NamedTuple):
    """A tokenizer and the two parts that it made of a text."""

    tokenizer: Tokenizer
    train: LineExamples | StreamExamples
    validation: LineExamples | StreamExamples
    lines: NDArray[np.int64]
    """The lines of the data that train; of a text in one line the first, though a part validates.
    """


def split(data: TextData, options: NextWordOptions) -> Split:
    """Learn the tokenizer from the training part, and encode both. Raises Invalid if one is empty.

    Raises Invalid also where every word would be unknown.
    """
    if options.tokenizer == "word":
        return _words(data, options)
    if (options.sequences or data.facts.sequences) == "lines":
        return _lines_of_pieces(data, options)
    return _stream_of_pieces(data, options)


def _words(data: TextData, options: NextWordOptions) -> Split:
    """Number the words once, and make a vocabulary of numbers: quick, also for long texts."""
    sequences = options.sequences or data.facts.sequences
    corpus, trained = _numbered(data, options)
    fraction = options.validation_fraction
    for_training = splits.training_words(corpus, sequences, fraction, trained=trained)
    if for_training.all() or not for_training.any():
        raise _nothing_left()
    counts = corpus.counts(corpus.ids[for_training])
    vocabulary = Vocabulary.build(
        corpus.words, counts, min_count=options.min_count, maximum=options.max_vocabulary
    )
    if len(vocabulary) <= len(SPECIAL):
        raise no_word_left()
    tokenizer = WordTokenizer(vocabulary, lowercase=options.lowercase)
    places = vocabulary.translate(corpus.words)[corpus.ids]
    targets = np.insert(places, corpus.starts[1:], END_INDEX)
    if sequences == "lines":
        held_out = ~for_training[corpus.starts[:-1]]  # a line is on one side, with its first word
        lengths = np.diff(corpus.starts) + 1
        return _by_line(tokenizer, targets, lengths, held_out, len(data.lines), options)
    cut = splits.training_places(corpus, fraction, trained=trained)
    ends = corpus.starts[1:] + np.arange(1, corpus.lines + 1)
    whole = int(np.searchsorted(ends, cut, side="right"))
    return _by_place(tokenizer, targets, cut, whole, options)


def _numbered(data: TextData, options: NextWordOptions) -> tuple[Corpus, int | None]:
    """Number the words of all lines; where the data bring a split, tell how many lines train."""
    corpus = Corpus.of([*data.lines, *(data.test_lines or ())], lowercase=options.lowercase)
    return corpus, None if data.test_lines is None else len(data.lines)


def _lines_of_pieces(data: TextData, options: NextWordOptions) -> Split:
    lines = [*data.lines, *(data.test_lines or ())]
    corpus, trained = _numbered(data, options)
    held_out = splits.validation_lines(corpus, options.validation_fraction, trained=trained)
    if held_out.all() or not held_out.any():
        raise _nothing_left()
    training = [line for line, held in zip(lines, held_out, strict=True) if not held]
    tokenizer = _learn(training, options)
    targets, lengths = _encode(tokenizer, lines)
    return _by_line(tokenizer, targets, lengths, held_out, len(data.lines), options)


def _stream_of_pieces(data: TextData, options: NextWordOptions) -> Split:
    """Cut the text at a character; the line that it stands in is cut in two."""
    if data.test_lines is not None:
        tokenizer = _learn(data.lines, options)
        training, _ = _encode(tokenizer, data.lines)
        validation, _ = _encode(tokenizer, data.test_lines)
        both = np.concatenate([training, validation])
        return _by_place(tokenizer, both, len(training), len(data.lines), options)
    ends = np.cumsum([len(line) + 1 for line in data.lines])  # each line with its end
    count = int(ends[-1])
    cut = count - splits.held_out(count, options.validation_fraction)
    whole = int(np.searchsorted(ends, cut, side="right"))  # lines that end before the cut
    within = cut - (int(ends[whole - 1]) if whole else 0)
    head, tail = data.lines[whole][:within], data.lines[whole][within:]
    tokenizer = _learn([*data.lines[:whole], head], options)
    before, _ = _encode(tokenizer, data.lines[:whole])
    rest, _ = tokenizers.encode(tokenizer, [head])  # it has no end here
    training = np.concatenate([before, rest])
    validation, _ = _encode(tokenizer, [tail, *data.lines[whole + 1 :]])
    if not len(training):
        raise _nothing_left()
    targets = np.concatenate([training, validation])
    return _by_place(tokenizer, targets, len(training), whole, options)


def _learn(lines: list[str], options: NextWordOptions) -> Tokenizer:
    tokenizer = tokenizers.learn(
        options.tokenizer,
        lines,
        lowercase=options.lowercase,
        min_count=options.min_count,
        maximum=options.max_vocabulary,
    )
    if len(tokenizer.vocabulary) <= len(SPECIAL):
        raise no_word_left()
    return tokenizer


def _encode(tokenizer: Tokenizer, lines: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the tokens of all lines, each with its `<eos>`, and how many of each."""
    ids, lengths = tokenizers.encode(tokenizer, lines)
    return np.insert(ids, np.cumsum(lengths), END_INDEX), lengths + 1


def _by_line(
    tokenizer: Tokenizer,
    targets: NDArray[np.int64],
    lengths: NDArray[np.int64],
    held_out: NDArray[np.bool_],
    lines: int,
    options: NextWordOptions,
) -> Split:
    longest = options.sequence_length or SEQUENCE_LENGTHS["lines"]
    train, validation = (
        LineExamples(targets[np.repeat(part, lengths)], lengths[part], longest)
        for part in (~held_out, held_out)
    )
    return Split(tokenizer, train, validation, np.flatnonzero(~held_out[:lines]))


def _by_place(
    tokenizer: Tokenizer,
    targets: NDArray[np.int64],
    cut: int,
    whole: int,
    options: NextWordOptions,
) -> Split:
    window = options.sequence_length or SEQUENCE_LENGTHS["stream"]
    before = int(targets[cut - 1])
    if options.windows == "shuffled":  # pieces of one long line
        train = LineExamples(targets[:cut], np.array([cut]), window)
    else:
        train = StreamExamples(targets[:cut], first_input=END_INDEX, sequence_length=window)
    validation = StreamExamples(targets[cut:], first_input=before, sequence_length=window)
    return Split(tokenizer, train, validation, np.arange(max(1, whole)))


def _nothing_left() -> Invalid:
    detail = "leave nothing to learn from or nothing to validate in this text"
    return invalid_field("/dataset/sequences", f"{detail}; use stream, or another fraction")
