"""Wrong options of texts and their tokenizers."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from tests.integration.cases.base import Case
from tests.integration.cases.jobs import job


def text(pointer: str, /, **options: Any) -> dict[str, Any]:
    """Make a case of options of a text that is read for its next words."""
    return job(f"/dataset/{pointer}", dataset={"name": "eating", **options})


def labelled(pointer: str, /, **options: Any) -> dict[str, Any]:
    """Make a case of options of texts with labels."""
    return job(f"/dataset/{pointer}", dataset={"name": "sms-spam", **options})


TEXTS = [
    Case("a tokenizer that does not exist", **text("tokenizer", tokenizer="sentencepiece")),
    Case("a tokenizer that is a number", **text("tokenizer", tokenizer=3)),
    Case("class weights for next words", **text("class_weights", class_weights="balanced")),
    Case("a tokenizer for pictures", **job("/dataset/tokenizer", dataset={"name": "digits", "tokenizer": "bpe"}, architecture="mlp")),
    Case("embeddings of no length", **job("/architecture/embedding_size", architecture={"type": "mlp", "embedding_size": 0})),
    Case("class weights that do not exist", **labelled("class_weights", class_weights="square")),
    Case("texts cut to nothing", **labelled("sequence_length", sequence_length=0)),
    Case("texts longer than can be read", **labelled("sequence_length", sequence_length=5000)),
    Case("a vocabulary without room for a word", **labelled("max_vocabulary", max_vocabulary=2)),
    Case("words seen no time", **labelled("min_count", min_count=0)),
    Case("all texts held out", **labelled("validation_fraction", validation_fraction=1.0)),
    Case("sequences for labelled texts", **labelled("sequences", sequences="lines")),
    Case("a convolution for texts", **job("/architecture", dataset="sms-spam", architecture="cnn")),
]
