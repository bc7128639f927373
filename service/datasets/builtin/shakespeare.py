"""Scenes from plays of William Shakespeare, 1.1 MB of running text: for models of characters."""

import gzip
from collections.abc import Mapping
from importlib.resources import files

from service.datasets.base import BuiltIn
from service.domain.datasets import TextDatasetSpec

_SPEC = TextDatasetSpec(
    name="shakespeare",
    type="text",
    sequences="stream",
    encoding="utf-8",
    source="Scenes from plays of William Shakespeare, the sample of char-rnn (A. Karpathy, 2015)",
    licence="public domain",
)


def _files() -> Mapping[str, bytes]:
    folder = files("service.datasets.builtin") / "data" / "shakespeare"
    return {"file": gzip.decompress((folder / "plays.txt.gz").read_bytes())}


BUILT_IN = BuiltIn(spec=_SPEC, files=_files)
