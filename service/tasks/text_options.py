"""What can be chosen about how texts are read, the same for every task that reads them."""

from pydantic import Field

from service.datasets.tokenizers import TokenizerName
from service.datasets.words import DEFAULT_MAX_VOCABULARY
from service.tasks.base import TaskOptions

TOKENIZER = (
    "word: words and marks; char: every character, so a Hangul syllable; bpe: pieces of words, "
    "learned from the training part."
)
MIN_COUNT = "Words or characters seen fewer times become <unk>; of bpe, such pairs are not merged."
MAX_VOCABULARY = "Largest vocabulary, <unk> and <eos> included; rarer words become <unk>."


class ReadingOptions(TaskOptions):
    """How a text becomes tokens."""

    tokenizer: TokenizerName = Field(default="word", description=TOKENIZER)
    lowercase: bool = Field(default=True, description="Read the text in lower case.")
    min_count: int = Field(default=1, ge=1, le=1_000_000, description=MIN_COUNT)
    max_vocabulary: int = Field(
        default=DEFAULT_MAX_VOCABULARY, ge=3, le=1_000_000, description=MAX_VOCABULARY
    )
