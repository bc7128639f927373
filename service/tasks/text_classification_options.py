"""What can be chosen about the labelled texts of a job, and what follows before they are read."""

from math import ceil
from typing import Literal

from pydantic import Field

from service.datasets import splits
from service.datasets.tokenizers import TokenizerName, largest_vocabulary
from service.datasets.words import DEFAULT_MAX_VOCABULARY
from service.domain.datasets import LabelledTextFacts
from service.domain.shapes import TextClassShape
from service.tasks.base import TaskOptions
from service.tasks.text_options import MAX_VOCABULARY, MIN_COUNT, TOKENIZER

ClassWeights = Literal["none", "balanced"]
LONGEST = 256
PIECES = 2000  # measured: more are too rare in a few thousand short texts to learn from


class TextClassOptions(TaskOptions):
    """What can be chosen about the labelled texts of a job."""

    tokenizer: TokenizerName = Field(default="bpe", description=TOKENIZER)
    lowercase: bool = Field(default=False, description="Read the text in lower case.")
    min_count: int = Field(default=1, ge=1, le=1_000_000, description=MIN_COUNT)
    max_vocabulary: int | None = Field(
        default=None,
        ge=3,
        le=1_000_000,
        description=f"{MAX_VOCABULARY} null: {PIECES:,} of bpe, else {DEFAULT_MAX_VOCABULARY:,}.",
    )

    validation_fraction: float = Field(
        default=splits.VALIDATION_FRACTION,
        gt=0,
        lt=1,
        description="Part of each class held out; not used where the data say which rows are. "
        "Equal texts are on the same side.",
    )
    sequence_length: int = Field(
        default=LONGEST, ge=1, le=4096, description="Of longer texts only so many tokens are read."
    )
    class_weights: ClassWeights = Field(
        default="none",
        description="balanced: every class counts the same in the training loss, however rare.",
    )


def maximum(options: TextClassOptions) -> int:
    """Tell the largest vocabulary that is allowed."""
    usual = PIECES if options.tokenizer == "bpe" else DEFAULT_MAX_VOCABULARY
    return options.max_vocabulary or usual


def shape(facts: LabelledTextFacts, options: TextClassOptions) -> TextClassShape:
    """Tell the classes, and a bound of the vocabulary from above; of characters a usual one."""
    # In the case as written one word can have many spellings, so only the words bound them.
    words = facts.distinct_words if options.lowercase else facts.words
    bound = largest_vocabulary(options.tokenizer, words=words)
    size = min(bound, maximum(options))
    return TextClassShape(vocabulary_size=size, classes=len(facts.classes))


def steps_per_epoch(facts: LabelledTextFacts, options: TextClassOptions, batch_size: int) -> int:
    """Tell the batches of an epoch: exactly where no text comes twice, else about."""
    examples = sum(facts.examples_per_class)
    if not facts.test_examples:
        fraction = options.validation_fraction
        examples -= sum(splits.held_out(count, fraction) for count in facts.examples_per_class)
    return ceil(examples / batch_size)
