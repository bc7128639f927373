"""Text, character by character and word by word, with models that remember longer."""

from pydantic import JsonValue

from service.domain.recipes import Expected, Recipe

_PLAY: dict[str, JsonValue] = {"name": "shakespeare", "tokenizer": "char", "lowercase": False}

RECIPES = [
    Recipe(
        name="play-lstm",
        title="A char-RNN writes a play",
        about="An LSTM reads a megabyte of Shakespeare, character by character, and says which is "
        "next. `val_perplexity` is how many characters it hesitates between.",
        request={
            "model": "play-lstm",
            "dataset": {**_PLAY, "sequence_length": 64},
            "architecture": {"type": "lstm", "hidden_size": 256},
            "training": {"epochs": 2},
        },
        expected=Expected(metrics={"val_loss": 1.6297}, tolerance=0.03),
        compare=["play-transformer"],
    ),
    Recipe(
        name="play-transformer",
        title="A Transformer writes a play",
        about="The same text, read with attention: every character looks back at all before it.",
        request={
            "model": "play-transformer",
            "dataset": _PLAY,
            "architecture": "transformer",
            "training": {"epochs": 2},
        },
        expected=Expected(metrics={"val_loss": 1.4933}, tolerance=0.03),
        compare=["play-lstm"],
    ),
    Recipe(
        name="korean-next-word",
        title="The next word in Korean",
        about="19,000 sentences of a Korean chat in pieces of words. With whole words, most of "
        "them would be seen once: try `dataset.tokenizer` as `word` and look at what is unknown.",
        request={
            "model": "korean-next-word",
            "dataset": {"name": "korean-talk", "tokenizer": "bpe", "max_vocabulary": 4000},
            "architecture": "gru",
            "training": {"epochs": 3},
        },
        expected=Expected(metrics={"val_perplexity": 127.9}, tolerance=0.05),
    ),
]
