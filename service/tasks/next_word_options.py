"""What can be chosen about the text of a job, and what follows from it before the data are read."""

from math import ceil
from typing import Annotated, Literal

from pydantic import Field

from service.datasets import splits
from service.datasets.text import SEQUENCE_LENGTHS
from service.datasets.tokenizers import (
    TOKENS_PER_WORD,
    TokenizerName,
    largest_vocabulary,
)
from service.datasets.words import DEFAULT_MAX_VOCABULARY, SPECIAL
from service.domain.base import LATER
from service.domain.datasets import SequenceUnit, TextFacts
from service.domain.problems import Invalid, invalid_field
from service.domain.shapes import TextShape
from service.tasks.base import TaskOptions
from service.tasks.text_options import MAX_VOCABULARY, MIN_COUNT, TOKENIZER

Windows = Literal["carried", "shuffled"]


class NextWordOptions(TaskOptions):
    """What can be chosen about the text of a job."""

    tokenizer: Annotated[TokenizerName, LATER] = Field(default="word", description=TOKENIZER)
    min_count: int = Field(default=1, ge=1, le=1_000_000, description=MIN_COUNT)
    max_vocabulary: int = Field(
        default=DEFAULT_MAX_VOCABULARY,
        ge=3,
        le=1_000_000,
        description=MAX_VOCABULARY,
    )
    lowercase: bool = Field(default=True, description="Read the text in lower case.")
    validation_fraction: float = Field(
        default=splits.VALIDATION_FRACTION,
        gt=0,
        lt=1,
        description="Part held out: of lines by a hash of the line, of a stream its end. A text "
        "that brings a `validation_file` validates with that.",
    )
    sequences: SequenceUnit | None = Field(
        default=None, description="Lines or a stream; null: as the dataset says."
    )
    sequence_length: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Longer lines are cut into pieces of so many words (null: 64); a stream is "
        "read in windows of so many, and gradients stop at their edges (null: 32). null, where the "
        "architecture sees so many words at once: its context.",
    )
    windows: Annotated[Windows | None, LATER] = Field(
        default=None,
        description="How training reads a stream. carried: in the order of the text, each window "
        "with the state that the one before ended with; shuffled: in another order every epoch, "
        "each window from the initial state, as lines are. null: carried, but shuffled where the "
        "architecture sees so many words at once. Validation reads the text in its order.",
    )


def shape(facts: TextFacts, options: NextWordOptions) -> TextShape:
    """Tell the vocabulary's size: exactly for words in the default split, else a bound from above.

    Raises Invalid where no word can be left in it.
    """
    if options.tokenizer != "word":
        size = min(largest_vocabulary(options.tokenizer), options.max_vocabulary)
        return TextShape(vocabulary_size=size)
    if facts.words < options.min_count:
        raise no_word_left()
    same_split = facts.test_lines > 0 or (
        options.sequences in {None, facts.sequences}
        and options.validation_fraction == splits.VALIDATION_FRACTION
    )
    # In the case as written one word can have many spellings, so only the words bound them.
    bound = facts.distinct_words if options.lowercase else facts.words // options.min_count
    if options.lowercase and same_split:
        sizes = facts.vocabulary_sizes
        known = sizes[min(options.min_count, len(sizes)) - 1]
        if known <= len(SPECIAL):
            raise no_word_left()
        if known < DEFAULT_MAX_VOCABULARY or options.max_vocabulary <= DEFAULT_MAX_VOCABULARY:
            return TextShape(vocabulary_size=min(known, options.max_vocabulary))
    return TextShape(vocabulary_size=min(bound + len(SPECIAL), options.max_vocabulary))


def steps_per_epoch(facts: TextFacts, options: NextWordOptions, batch_size: int) -> int:
    """Tell the batches of an epoch: exactly for the default split and length, else about."""
    sequences = options.sequences or facts.sequences
    length = options.sequence_length or SEQUENCE_LENGTHS[sequences]
    examples = facts.training_examples
    usual = facts.test_lines > 0 or options.validation_fraction == splits.VALIDATION_FRACTION
    fits = sequences == facts.sequences and usual and options.tokenizer == "word"
    trained = 1.0 if facts.test_lines else 1 - options.validation_fraction
    tokens = TOKENS_PER_WORD[options.tokenizer]
    if sequences == "lines":
        if examples is None or not fits or length != SEQUENCE_LENGTHS["lines"]:
            pieces = ceil((1 + tokens * facts.words / facts.lines) / length)
            examples = max(1, round(facts.lines * pieces * trained))
        return ceil(examples / batch_size)
    if examples is None or not fits:
        places = round(tokens * facts.words) + facts.lines
        examples = places
        if not facts.test_lines:
            examples -= splits.held_out(places, options.validation_fraction)
    if options.windows == "shuffled":
        return ceil(ceil(examples / length) / batch_size)
    return ceil(ceil(examples / batch_size) / length)


def no_word_left() -> Invalid:
    """Make the problem of a text whose words are all too rare."""
    detail = "is more than any word of the text is seen: every word would be <unk>; choose less"
    return invalid_field("/dataset/min_count", detail)
