"""What lower rooms are handed to write through: they know these protocols, not the database."""

from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO, Literal, NamedTuple, Protocol

from pydantic import JsonValue

from service.domain.events import EventType
from service.domain.jobs import CheckpointKind, Progress, RunInfo

Command = Literal["cancel", "pause", "drain"]
"""What the training loop may be told between two batches."""


class MetricPoint(NamedTuple):
    """One value of one series. NaN and infinity are allowed; they are stored as such."""

    name: str
    step: int
    epoch: int
    value: float


class Content(Protocol):
    """Bytes that are made while they are read, so that there is no copy of all of them."""

    def pieces(self) -> Iterable[memoryview]:
        """Give the bytes piece by piece, with each call from the beginning."""
        ...


class CheckpointDraft(NamedTuple):
    """A training state on its way into the store; what it shows changes when training goes on.

    `weights` is a safetensors file of the model's state dict; `state` one of everything else that a
    resume needs, with JSON in its metadata and no clock in it. Each kind gets a row of its own;
    they share the bytes. One that is not `scheduled` comes of an order: the same run has it or not.
    """

    kinds: Sequence[CheckpointKind]
    step: int
    epoch: int
    metrics: Mapping[str, float]
    weights: Content
    state: Content
    scheduled: bool = True


class Recorder(Protocol):
    """Where the training loop reports. Every method may raise LeaseLost: then training ends."""

    def started(self, run: RunInfo, preparation: bytes) -> None:
        """Note what was chosen, once, before the first step.

        `preparation` is what the task fixed and needs again to predict (vocabulary, classes, …), as
        JSON; only the task reads it.
        """
        ...

    def metrics(self, points: Sequence[MetricPoint]) -> None:
        """Take points; they are written in batches about twice a second."""
        ...

    def progress(self, progress: Progress) -> None:
        """Take how far the training came; written together with the metrics."""
        ...

    def event(self, happened: EventType, data: Mapping[str, JsonValue]) -> None:
        """Take an event; it is written with whatever is written next, a checkpoint too."""
        ...

    def checkpoint(self, draft: CheckpointDraft) -> None:
        """Store a checkpoint with everything so far, durably, before returning.

        Its bytes may be read more than once, and not any more afterwards.
        """
        ...

    def command(self) -> Command | None:
        """Say at once whether the training shall stop; never waits."""
        ...


class BlobSink(Protocol):
    """Where bytes go. Content-addressed: storing the same bytes twice keeps them once."""

    def put(self, content: BinaryIO) -> tuple[str, int]:
        """Store a stream; return its SHA-256 in hex and its size. Held until referred to."""
        ...


class BlobSource(Protocol):
    """Where bytes come from."""

    def read(self, sha256: str) -> bytes:
        """Return all bytes of a blob. Raises KeyError when there is none."""
        ...
