"""What the benchmarks share: data, a spec, a recorder that keeps nothing, a table of ratios."""

import hashlib
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, BinaryIO

import torch
from pydantic import JsonValue

from service.catalogue import Catalogue
from service.datasets import registry
from service.datasets.base import Data
from service.domain.datasets import DatasetFacts, NewDataset, TextDatasetSpec
from service.domain.events import EventType
from service.domain.jobs import JobSpec, Progress, RunInfo
from service.domain.ports import CheckpointDraft, Command, MetricPoint
from service.training.device import cpu_name


class Silent:
    """A recorder that remembers the last value of each metric and writes nothing."""

    def __init__(self) -> None:
        self.last: dict[str, float] = {}

    def started(self, run: RunInfo, preparation: bytes) -> None:
        """Take no note."""

    def metrics(self, points: Sequence[MetricPoint]) -> None:
        """Keep the last values."""
        self.last.update({point.name: point.value for point in points})

    def progress(self, progress: Progress) -> None:
        """Take no note."""

    def event(self, happened: EventType, data: Mapping[str, JsonValue]) -> None:
        """Take no note."""

    def checkpoint(self, draft: CheckpointDraft) -> None:
        """Take no note."""

    def command(self) -> Command | None:
        """Never stop."""
        return None


class MemoryBlobs:
    """Bytes in memory, by their SHA-256."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def put(self, content: BinaryIO) -> tuple[str, int]:
        """Keep a stream."""
        data = content.read()
        sha256 = hashlib.sha256(data).hexdigest()
        self.contents[sha256] = data
        return sha256, len(data)

    def read(self, sha256: str) -> bytes:
        """Return what was kept."""
        return self.contents[sha256]


def built_in(name: str) -> tuple[DatasetFacts, Data]:
    """Load a built-in dataset without a database."""
    blobs = MemoryBlobs()
    return _stored(registry.take_in_built_in(registry.built_ins()[name], blobs), blobs)


def running_text(name: str, content: bytes) -> tuple[DatasetFacts, Data]:
    """Take in a text whose words follow each other from line to line."""
    blobs = MemoryBlobs()
    spec = TextDatasetSpec(name=name, type="text", sequences="stream")
    return _stored(registry.take_in(spec, {"file": BytesIO(content)}, blobs), blobs)


def _stored(new: NewDataset, blobs: MemoryBlobs) -> tuple[DatasetFacts, Data]:
    facts = DatasetFacts(
        id="ds_benchmark", name=new.name, sha256=new.sha256, facts=new.facts, files=new.files
    )
    return facts, registry.load(facts, blobs)


def resolve(facts: DatasetFacts, **request: Any) -> JobSpec:
    """Resolve a job request as the API does."""
    catalogue = Catalogue.installed()
    body = json.dumps({"dataset": facts.name, **request}).encode()
    return catalogue.resolve(catalogue.job_request.model_validate_json(body), facts)


def print_table(
    title: str,
    measured: Mapping[str, Sequence[float]],
    *,
    unit: str,
    baseline: str,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Print medians, and the median of the ratios to the baseline measured beside it."""
    today = datetime.now(UTC).date()
    print(f"\n{title}\n{today}, {cpu_name()}, torch {torch.__version__}, Python {_python()}\n")
    print(f"| what | {unit}, median | ratio to {baseline!r} | |\n| --- | ---: | ---: | --- |")
    for name, values in measured.items():
        ratio = statistics.median(
            value / base for value, base in zip(values, measured[baseline], strict=True)
        )
        note = (extra or {}).get(name, "")
        print(f"| {name} | {statistics.median(values):,.0f} | {ratio:.2f} | {note} |")


def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))
