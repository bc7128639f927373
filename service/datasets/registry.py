"""All kinds of data in one place: check what comes in, load what is stored, list what we ship."""

import hashlib
import json
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from io import BytesIO
from types import MappingProxyType
from typing import BinaryIO

from pydantic import JsonValue

from service.datasets import builtin, idx, text
from service.datasets.base import BuiltIn, Data, Download
from service.domain.datasets import (
    DatasetFacts,
    DatasetFile,
    Facts,
    IdxDatasetSpec,
    NewDataset,
    TextDatasetSpec,
    TextFacts,
)
from service.domain.ports import BlobSink, BlobSource
from service.domain.problems import FieldError, Invalid, TooLarge

DEFAULT_MAX_DECODED_BYTES = 2 << 30

_NO_OPTIONS = {"name", "type", "source", "licence", "text"}
_ENTRY_POINTS = "trainyard.datasets"


def check(
    spec: TextDatasetSpec | IdxDatasetSpec,
    files: Mapping[str, BinaryIO],
    max_decoded_bytes: int = DEFAULT_MAX_DECODED_BYTES,
) -> Facts:
    """Return the facts of uploaded files, read from where they stand. Raises Invalid, TooLarge."""
    if isinstance(spec, IdxDatasetSpec):
        return idx.check(files, spec, max_decoded_bytes)
    errors = [
        FieldError(pointer=f"/{role}", detail="is no part of a text: use file")
        for role in files
        if role != "file"
    ]
    if "file" not in files:
        errors.append(FieldError(pointer="/file", detail="is missing; add the text as this file"))
    if errors:
        raise Invalid(
            f"The files do not fit: {errors[0].pointer} {errors[0].detail}.", errors=errors
        )
    content = files["file"]
    beginning = content.tell()
    if content.seek(0, 2) - beginning > max_decoded_bytes:
        raise TooLarge(f"The text has more than {max_decoded_bytes:,} bytes; send less.")
    content.seek(beginning)
    return text.check(content, spec)


def load(facts: DatasetFacts, source: BlobSource) -> Data:
    """Read the stored files of a dataset into memory."""
    files = {file.role: source.read(file.sha256) for file in facts.files}
    if isinstance(facts.facts, TextFacts):
        return text.load(files["file"], facts.facts)
    return idx.load(files, facts.facts)


def options_of(spec: TextDatasetSpec | IdxDatasetSpec) -> dict[str, JsonValue]:
    """Return what of an upload's spec changes the data: all but its name, source and licence."""
    return spec.model_dump(mode="json", exclude=_NO_OPTIONS)


def dataset_sha256(
    dataset_type: str, options: Mapping[str, JsonValue], files: Sequence[DatasetFile]
) -> str:
    """Return what a dataset is known by: one hash over its type, options and files."""
    identity = {
        "type": dataset_type,
        "options": dict(options),
        "files": {file.role: file.sha256 for file in files},
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def take_in(
    spec: TextDatasetSpec | IdxDatasetSpec,
    files: Mapping[str, BinaryIO],
    sink: BlobSink,
    *,
    max_decoded_bytes: int = DEFAULT_MAX_DECODED_BYTES,
    built_in: bool = False,
) -> NewDataset:
    """Check files and store their bytes; what is left to write is the dataset's row."""
    facts = check(spec, files, max_decoded_bytes)
    stored: list[DatasetFile] = []
    for role in sorted(files):
        files[role].seek(0)
        sha256, size = sink.put(files[role])
        stored.append(DatasetFile(role=role, sha256=sha256, bytes=size))
    options = options_of(spec)
    return NewDataset(
        name=spec.name,
        sha256=dataset_sha256(spec.type, options, stored),
        options=options,
        facts=facts,
        files=stored,
        source=spec.source,
        licence=spec.licence,
        built_in=built_in,
    )


def take_in_built_in(dataset: BuiltIn, sink: BlobSink) -> NewDataset:
    """Store the bytes of a built-in dataset."""
    files = {role: BytesIO(content) for role, content in dataset.files().items()}
    return take_in(dataset.spec, files, sink, built_in=True)


def announcement(download: Download) -> NewDataset:
    """Make the row of a dataset whose bytes are still to come."""
    files = [
        DatasetFile(role=file.role, sha256=file.sha256, bytes=file.bytes)
        for file in sorted(download.files, key=lambda file: file.role)
    ]
    options = options_of(download.spec)
    return NewDataset(
        name=download.name,
        sha256=dataset_sha256(download.spec.type, options, files),
        options=options,
        facts=download.facts,
        files=files,
        source=download.spec.source,
        licence=download.spec.licence,
        built_in=True,
    )


def built_ins() -> Mapping[str, BuiltIn]:
    """List the datasets that are shipped, by name."""
    return MappingProxyType({each.name: each for each in _found() if isinstance(each, BuiltIn)})


def downloads() -> Mapping[str, Download]:
    """List the datasets that are downloaded on first use, by name."""
    return MappingProxyType({each.name: each for each in _found() if isinstance(each, Download)})


@cache
def _found() -> Sequence[object]:
    """Find what our modules in `builtin` and installed packages bring."""
    modules = [
        import_module(f"{builtin.__name__}.{module.name}")
        for module in pkgutil.iter_modules(builtin.__path__)
    ]
    found: list[object] = [getattr(module, "BUILT_IN", None) for module in modules]
    return [*found, *(point.load() for point in entry_points(group=_ENTRY_POINTS))]
