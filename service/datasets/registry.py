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
from typing import BinaryIO, NamedTuple

from pydantic import JsonValue

from service.datasets import builtin, idx, image_folder, text
from service.datasets.base import BuiltIn, Data, Download
from service.datasets.findings import Findings
from service.domain.base import resolved_options
from service.domain.datasets import (
    AnyDatasetSpec,
    AnyFacts,
    DatasetFacts,
    DatasetFile,
    DatasetReport,
    Finding,
    IdxDatasetSpec,
    ImageFacts,
    ImageFolderDatasetSpec,
    LabelledTextDatasetSpec,
    LabelledTextFacts,
    NewDataset,
    TableDatasetSpec,
    TableFacts,
    TextDatasetSpec,
    TextFacts,
)
from service.domain.ports import BlobSink, BlobSource
from service.domain.problems import FieldError, Invalid

DEFAULT_MAX_DECODED_BYTES = 2 << 30

_NO_OPTIONS = {"name", "type", "source", "licence"}
_PIECE = 1 << 20
_ENTRY_POINTS = "trainyard.datasets"


class Checked(NamedTuple):
    """What is known of uploaded files, and what was noticed about them."""

    facts: AnyFacts
    findings: list[Finding]


def check(
    spec: AnyDatasetSpec,
    files: Mapping[str, BinaryIO],
    max_decoded_bytes: int = DEFAULT_MAX_DECODED_BYTES,
    *,
    findings: Findings | None = None,
) -> Checked:
    """Return the facts of uploaded files, read from where they stand. Raises Invalid, TooLarge.

    What was noticed until then stands in `findings` too, if one is handed in.
    """
    skip = not isinstance(spec, IdxDatasetSpec) and spec.on_error == "skip"
    noticed = Findings(skip=skip) if findings is None else findings
    noticed.skip = skip
    facts = _facts(spec, files, max_decoded_bytes, noticed)
    return Checked(facts, noticed.listed())


def _facts(
    spec: AnyDatasetSpec,
    files: Mapping[str, BinaryIO],
    max_decoded_bytes: int,
    findings: Findings,
) -> AnyFacts:
    """Hand the files to who knows their type."""
    match spec:
        case IdxDatasetSpec():
            return idx.check(files, spec, max_decoded_bytes)
        case TextDatasetSpec():
            return text.check_files(files, spec, max_decoded_bytes, findings)
        case LabelledTextDatasetSpec() | TableDatasetSpec():
            return _check_rows(files, spec, max_decoded_bytes, findings)
        case ImageFolderDatasetSpec():
            return image_folder.check(files, spec, max_decoded_bytes, findings)


def load(facts: DatasetFacts, source: BlobSource) -> Data:
    """Read the stored files of a dataset into memory."""
    files = {file.role: source.read(file.sha256) for file in facts.files}
    match facts.facts:
        case TextFacts() as known:
            return text.load(files, known)
        case LabelledTextFacts() | TableFacts() as known:
            return _load_rows(files, known)
        case ImageFacts(type="image_folder") as known:
            return image_folder.load(files, known)
        case ImageFacts() as known:
            return idx.load(files, known)


# Files of rows are read by polars, which starts threads when it is imported: it comes with the
# first such file, for jobs are forked from a process that has imported this module and must have
# no thread.
def _check_rows(
    files: Mapping[str, BinaryIO],
    spec: LabelledTextDatasetSpec | TableDatasetSpec,
    max_decoded_bytes: int,
    findings: Findings,
) -> AnyFacts:
    from service.datasets import labelled_text, tables  # noqa: PLC0415

    if isinstance(spec, LabelledTextDatasetSpec):
        return labelled_text.check(files, spec, max_decoded_bytes, findings)
    return tables.check(files, spec, max_decoded_bytes, findings)


def _load_rows(files: Mapping[str, bytes], facts: LabelledTextFacts | TableFacts) -> Data:
    from service.datasets import labelled_text, tables  # noqa: PLC0415

    if isinstance(facts, LabelledTextFacts):
        return labelled_text.load(files, facts)
    return tables.load(files, facts)


def options_of(spec: AnyDatasetSpec) -> dict[str, JsonValue]:
    """Return what of an upload's spec changes the data: all but its name, source and licence.

    Options marked LATER stand there only when they say something: their defaults must not change
    the hash of a dataset that was there before.
    """
    options = resolved_options(spec)
    return {name: value for name, value in options.items() if name not in _NO_OPTIONS}


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


def report(
    spec: AnyDatasetSpec,
    files: Mapping[str, BinaryIO],
    *,
    max_decoded_bytes: int = DEFAULT_MAX_DECODED_BYTES,
) -> DatasetReport:
    """Tell what an upload would become, and everything that was found. Raises TooLarge."""
    findings = Findings()
    beginnings = {role: content.tell() for role, content in files.items()}
    facts, sha256 = None, None
    try:
        facts, listed = check(spec, files, max_decoded_bytes, findings=findings)
    except Invalid as invalid:
        listed = findings.listed() if findings.bad_lines or findings.errors else []
        if not listed:
            listed = [_finding(error) for error in invalid.errors]
    else:
        stored: list[DatasetFile] = []
        for role in sorted(files):
            files[role].seek(beginnings[role])
            sha256, size = _hash(files[role])
            stored.append(DatasetFile(role=role, sha256=sha256, bytes=size))
        sha256 = dataset_sha256(spec.type, options_of(spec), stored)
    return DatasetReport(
        name=spec.name,
        type=spec.type,
        accepted=facts is not None,
        sha256=sha256,
        facts=facts,
        findings=listed,
    )


def _hash(content: BinaryIO) -> tuple[str, int]:
    """Return what a store would, without storing."""
    digest, size = hashlib.sha256(), 0
    while piece := content.read(_PIECE):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


def _finding(error: FieldError) -> Finding:
    """Tell a wrong field as a finding."""
    file = error.pointer.removeprefix("/")
    return Finding(
        level="error", code="invalid", detail=error.detail, line=error.line, file=file or None
    )


def take_in(
    spec: AnyDatasetSpec,
    files: Mapping[str, BinaryIO],
    sink: BlobSink,
    *,
    max_decoded_bytes: int = DEFAULT_MAX_DECODED_BYTES,
    built_in: bool = False,
) -> NewDataset:
    """Check files and store their bytes; what is left to write is the dataset's row."""
    beginnings = {role: content.tell() for role, content in files.items()}
    facts, findings = check(spec, files, max_decoded_bytes)
    stored: list[DatasetFile] = []
    for role in sorted(files):
        files[role].seek(beginnings[role])
        sha256, size = sink.put(files[role])
        stored.append(DatasetFile(role=role, sha256=sha256, bytes=size))
    options = options_of(spec)
    return NewDataset(
        name=spec.name,
        sha256=dataset_sha256(spec.type, options, stored),
        options=options,
        facts=facts,
        files=stored,
        findings=findings,
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
