"""How the options that tasks of texts share are described."""

TOKENIZER = (
    "word: words and marks; char: every character, so a Hangul syllable; bpe: pieces of words, "
    "learned from the training part."
)
MIN_COUNT = "Words or characters seen fewer times become <unk>; of bpe, such pairs are not merged."
MAX_VOCABULARY = "Largest vocabulary, <unk> and <eos> included; rarer words become <unk>."
