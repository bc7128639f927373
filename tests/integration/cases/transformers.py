"""Wrong options of the Transformer, and contexts that do not fit."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from tests.integration.cases.base import Case
from tests.integration.cases.jobs import job


def transformer(pointer: str, /, dataset: Any = "eating", **options: Any) -> dict[str, Any]:
    """Make a case of a Transformer that is right but for some options."""
    return job(pointer, dataset=dataset, architecture={"type": "transformer", **options})


LARGE: dict[str, Any] = {"layers": 60, "heads": 8, "width": 1024, "context": 4096}

TRANSFORMERS = [
    Case("a width that the heads do not divide", **transformer("/architecture/width", width=10, heads=4)),
    Case("heads that do not divide the width", **transformer("/architecture/heads", heads=3)),
    Case("heads too narrow for pairs", **transformer("/architecture/width", width=6, heads=2)),
    Case("tied embeddings of classes", **transformer("/architecture/tied_embeddings", dataset="sms-spam", tied_embeddings=True)),
    Case("heads that do not fit for texts with labels", **transformer("/architecture/heads", dataset="sms-spam", heads=3)),
    Case("no head", **transformer("/architecture/heads", heads=0)),
    Case("no layer", **transformer("/architecture/layers", layers=0)),
    Case("a context of nothing", **transformer("/architecture/context", context=0)),
    Case("a context beyond all bounds", **transformer("/architecture/context", context=5000)),
    Case("positions that do not exist", **transformer("/architecture/positions", positions="absolute")),
    Case("a norm that does not exist", **transformer("/architecture/norm", norm="batch")),
    Case("a perceptron that does not exist", **transformer("/architecture/mlp", mlp="relu")),
    Case("everything left out", **transformer("/architecture/dropout", dropout=1.0)),
    Case("windows longer than the context", **transformer("/dataset/sequence_length", dataset={"name": "eating", "sequence_length": 65}, context=64)),
    Case("texts longer than the context", **transformer("/dataset/sequence_length", dataset={"name": "sms-spam", "sequence_length": 65}, context=64)),
    Case("windows that do not exist", **transformer("/dataset/windows", dataset={"name": "eating", "windows": "random"})),
    Case("a Transformer for pictures", **transformer("/architecture", dataset="digits")),
    Case("a context longer than memory allows", **transformer("/architecture/context", dataset={"name": "python-docs", "tokenizer": "char"}, **LARGE)),
]
