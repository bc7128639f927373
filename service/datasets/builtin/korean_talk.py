"""The sentences of `korean-chat`, a line each, questions and answers in turn: for next words."""

import csv
from collections.abc import Mapping
from io import StringIO

from service.datasets.base import BuiltIn
from service.datasets.builtin import korean_chat
from service.domain.datasets import TextDatasetSpec

_SPEC = TextDatasetSpec(
    name="korean-talk",
    type="text",
    sequences="lines",
    encoding="utf-8",
    source=korean_chat.BUILT_IN.spec.source,
    licence=korean_chat.BUILT_IN.spec.licence,
)


def _files() -> Mapping[str, bytes]:
    pairs = csv.DictReader(StringIO(korean_chat.BUILT_IN.files()["file"].decode()))
    lines = [pair[column].strip() for pair in pairs for column in ("question", "answer")]
    return {"file": "\n".join(lines).encode()}


BUILT_IN = BuiltIn(spec=_SPEC, files=_files)
