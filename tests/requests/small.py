"""Small data of every type, some of them odd, as uploads make them; they are kept in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from service.datasets import idx, registry
from service.datasets.base import Data
from service.domain.datasets import (
    DatasetFacts,
    IdxDatasetSpec,
    LabelledTextDatasetSpec,
    TableDatasetSpec,
    TextDatasetSpec,
)

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Small:
    """A dataset: what a job is resolved by, and what it learns from."""

    facts: DatasetFacts
    data: Data


class _Blobs:
    """Bytes by their SHA-256."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def put(self, content: BinaryIO) -> tuple[str, int]:
        read = content.read()
        key = sha256(read).hexdigest()
        self._kept[key] = read
        return key, len(read)

    def read(self, sha256: str) -> bytes:
        return self._kept[sha256]


def small_data() -> dict[str, Small]:
    """Make them all, by name."""
    return {spec.name: _take_in(spec, files) for spec, files in _uploads()}


def a_built_in(name: str) -> Small:
    """Take in a dataset that is shipped."""
    built_in = registry.built_ins()[name]
    return _take_in(built_in.spec, built_in.files())


def _take_in(spec: Any, files: Files) -> Small:
    blobs = _Blobs()
    new = registry.take_in(spec, {role: BytesIO(each) for role, each in files.items()}, blobs)
    facts = DatasetFacts(
        id="ds_1", name=new.name, sha256=new.sha256, facts=new.facts, files=new.files
    )
    return Small(facts, registry.load(facts, blobs))


def _uploads() -> list[tuple[Any, Files]]:
    lines = [
        f"{who} eat {what} and {also}"
        for who in ("I", "you", "We")
        for what in ("rice", "soup", "tofu", "tea")
        for also in ("bread", "apples")
    ]
    text = {"file": "\n".join(lines).encode()}
    table = {"file": _table(40)}
    return [
        (TextDatasetSpec(name="lines", type="text", sequences="lines"), text),
        (TextDatasetSpec(name="stream", type="text", sequences="stream"), text),
        (TextDatasetSpec(name="few", type="text"), {"file": "밥 먹자\n빵 먹자\n".encode()}),
        (
            TextDatasetSpec(name="parts", type="text", sequences="stream"),
            {**text, "validation_file": b"you eat soup and tofu"},
        ),
        (IdxDatasetSpec(name="images", type="idx"), _images((24, 8, 8))),
        (IdxDatasetSpec(name="colours", type="idx"), _images((6, 5, 3, 3), test=3)),
        (IdxDatasetSpec(name="dots", type="idx"), _images((5, 1, 1))),
        (LabelledTextDatasetSpec(name="labels", type="labelled_text"), _labelled(lines)),
        (
            LabelledTextDatasetSpec(name="pair", type="labelled_text"),
            _labelled(["a", "b", "c", "d"]),
        ),
        (TableDatasetSpec(name="numbers", type="table", target="power"), table),
        (TableDatasetSpec(name="kinds", type="table", target="sky"), table),
        (TableDatasetSpec(name="series", type="table", target="power", series=True), table),
        (TableDatasetSpec(name="rows", type="table", target="power"), {"file": _table(3)}),
    ]


def _labelled(texts: list[str]) -> Files:
    rows = "".join(f"{text},{('sweet', 'salty')[n % 2]}\n" for n, text in enumerate(texts))
    return {"file": f"text,label\n{rows}".encode()}


def _table(rows: int) -> bytes:
    written = [
        f"{n % 24},{('clear', 'rain', 'fog')[n % 3]},2026-0{1 + n // 28}-{1 + n % 28:02},"
        f"{'' if n % 5 == 4 else n / 2},{n * 1.5 - n % 7}"
        for n in range(rows)
    ]
    return "\n".join(["hour,sky,day,wind,power", *written]).encode()


def _images(shape: tuple[int, ...], *, test: int = 0) -> Files:
    files: dict[str, bytes] = {}
    for prefix, count in (("", shape[0]), ("test_", test)):
        if count:
            size = (count, *shape[1:])
            pixels = np.arange(np.prod(size)) * 7 % 256
            files[f"{prefix}images"] = idx.encode(pixels.astype(np.uint8).reshape(size))
            files[f"{prefix}labels"] = idx.encode((np.arange(count) % 3).astype(np.uint8))
    return files
