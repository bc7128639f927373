"""Where a job begins, when not with fresh weights: at a checkpoint (a fork), or at a model.

The new job is given a checkpoint of its own with the same bytes, from which it goes on as any job
does; what it begins with may then be deleted.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from pydantic import Field

from service.domain.base import Outgoing
from service.domain.components import Component

Part = Literal["weights", "optimizer", "position", "best", "early_stopping", "schedule"]
"""What of a training state a fork keeps or drops. `position` is the step, the epoch, the place in
the data, and the random states there; `schedule` what a schedule like `plateau` has seen."""


class Beginning(Outgoing):
    """The bytes that a job begins with, and what they were trained as."""

    dataset: str
    architecture: Component = Field(description="What the weights were trained as.")
    weights_sha256: str
    state_sha256: str


class ContinuesFrom(Beginning):
    """The checkpoint that a fork goes on from, and what of its state still fits."""

    job: str
    checkpoint: str
    step: int
    epoch: int
    keeps: list[Part]
    drops: dict[Part, str] = Field(description="What is dropped, and why.")


class InitialWeights(Beginning):
    """The model whose weights a job begins with; all else is new."""

    model: str = Field(description="As it was asked for.")
    version: int | None
    checkpoint: str | None
    preparation_sha256: str


class KeptCheckpoint(NamedTuple):
    """A stored checkpoint with the bytes that it refers to."""

    id: str
    step: int
    epoch: int
    metrics: Mapping[str, float | None]
    bytes: int
    weights_sha256: str
    weights_bytes: int
    state_sha256: str
    state_blob_sha256: str
    preparation_sha256: str


NO_STATE = b"{}"
"""The state of a checkpoint that holds weights alone: training begins with them, at step 0."""
