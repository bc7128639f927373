"""What can be chosen about the labelled texts of a job, and what follows before they are read."""

from math import ceil
from typing import Literal

from pydantic import Field

from service.datasets import splits
from service.datasets.words import SPECIAL
from service.domain.datasets import LabelledTextFacts
from service.domain.shapes import TextClassShape
from service.tasks.text_options import ReadingOptions

ClassWeights = Literal["none", "balanced"]
LONGEST = 256
_CHARACTERS = 12_000  # Hangul has 11,172 syllables; texts with more characters are rare


class TextClassOptions(ReadingOptions):
    """What can be chosen about the labelled texts of a job."""

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


def shape(facts: LabelledTextFacts, options: TextClassOptions) -> TextClassShape:
    """Tell the classes, and a bound of the vocabulary from above; of characters a usual one."""
    bound = options.max_vocabulary
    if options.tokenizer == "word":
        # In the case as written one word can have many spellings, so only the words bound them.
        words = facts.distinct_words if options.lowercase else facts.words
        bound = words + len(SPECIAL)
    elif options.tokenizer == "char":
        bound = _CHARACTERS
    size = min(bound, options.max_vocabulary)
    return TextClassShape(vocabulary_size=size, classes=len(facts.classes))


def steps_per_epoch(facts: LabelledTextFacts, options: TextClassOptions, batch_size: int) -> int:
    """Tell the batches of an epoch: exactly where no text comes twice, else about."""
    examples = sum(facts.examples_per_class)
    if not facts.test_examples:
        fraction = options.validation_fraction
        examples -= sum(splits.held_out(count, fraction) for count in facts.examples_per_class)
    return ceil(examples / batch_size)
