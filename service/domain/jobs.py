"""A job: what is to be done (`JobSpec`, frozen) and what has become of it (`Job`)."""

import math
from typing import Annotated, Literal, NewType

from pydantic import AfterValidator, Field, JsonValue

from service.domain.base import Moment, Outgoing
from service.domain.beginnings import Beginning, ContinuesFrom, InitialWeights
from service.domain.components import Component
from service.domain.environments import BFLOAT16, Environment
from service.domain.evaluations import Evaluation
from service.domain.requests import (
    Computed,
    Device,
    EarlyStopping,
    Ema,
    Exactness,
    JobKind,
    Precision,
)

JobId = NewType("JobId", str)
LeaseToken = NewType("LeaseToken", str)
WorkerId = NewType("WorkerId", str)
JobStatus = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
CheckpointKind = Literal["best", "latest", "periodic", "pause"]

ENDED: frozenset[JobStatus] = frozenset({"succeeded", "failed", "cancelled"})


class DatasetSpec(Outgoing):
    """Which data: by name for people, by SHA-256 for certainty."""

    name: str
    id: str
    type: str
    sha256: str
    options: dict[str, JsonValue] = Field(description="Options of the task, defaults filled in.")


class CheckpointSpec(Outgoing):
    """`CheckpointPolicy`, resolved."""

    every_steps: int | None
    keep_best: int
    keep_latest: int
    keep_periodic: int


class TrainingSpec(Outgoing):
    """`TrainingOptions` with every default filled in; one of epochs and max_steps is set."""

    epochs: int | None
    max_steps: int | None
    batch_size: int
    seed: int
    device: Device
    precision: Precision
    gradient_clip: float | None
    early_stopping: EarlyStopping | None
    checkpoint: CheckpointSpec
    max_seconds: float | None
    best_metric: str = Field(description="The validation metric that chooses the best checkpoint.")
    exact: Exactness = "preferred"
    label_smoothing: float = 0.0
    ema: Ema | None = None


class JobSpec(Outgoing):
    """Everything that fixes a training run; nothing is left to a default."""

    model: str | None
    task: str
    dataset: DatasetSpec
    architecture: Component
    optimizer: Component
    schedule: Component
    training: TrainingSpec
    initialize_from: InitialWeights | None = None
    continues_from: ContinuesFrom | None = Field(
        default=None, description="Of a fork: the checkpoint, and what of its state was kept."
    )

    @property
    def beginning(self) -> Beginning | None:
        """What the job's first checkpoint was copied from, if it did not begin with nothing."""
        return self.continues_from or self.initialize_from

    def trained_as(self, state_sha256: str) -> tuple[Component, str]:
        """Tell of one of the job's checkpoints which architecture and dataset it is of."""
        begun = self.beginning
        if begun is not None and begun.state_sha256 == state_sha256:
            return begun.architecture, begun.dataset
        return self.architecture, self.dataset.name

    def components(self) -> list[str]:
        """Name what a worker must have installed to run this, as `kind:type`."""
        return [
            f"architecture:{self.architecture.type}",
            f"optimizer:{self.optimizer.type}",
            f"schedule:{self.schedule.type}",
            f"task:{self.task}",
            *([BFLOAT16] if self.training.precision == "bfloat16" else []),
        ]


class NewJob(Outgoing):
    """What is stored when a job is accepted."""

    kind: JobKind = "train"
    spec: JobSpec
    priority: int = 0
    client_id: str | None = None
    metadata: dict[str, str] = {}
    parent_job: str | None = None
    request_sha256: str | None = None


class Progress(Outgoing):
    """How far the training came. `epochs` is null where `max_steps` bounds the job."""

    epoch: int = 0
    epochs: int | None = None
    step: int = 0
    steps: int | None = None
    percent: float = 0.0
    eta_seconds: float | None = None
    updated_at: Moment | None = None


class JobError(Outgoing):
    """Why a job failed, and what to try."""

    code: str
    message: str
    hint: str | None = None


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


class Baseline(Outgoing):
    """What the simplest guess reaches on the same validation data."""

    name: str = Field(examples=["majority_class", "unigram"])
    metrics: Annotated[dict[str, float], AfterValidator(_finite)] = Field(
        description="Those that are finite."
    )


class JobResult(Outgoing):
    """What came out: the model version made of the best checkpoint."""

    model: str
    version: int | None
    model_id: str
    checkpoint: str
    metrics: dict[str, float | None]
    baseline: Baseline
    evaluation: Evaluation | None = Field(
        default=None, description="With intervals, confusions, errors and calibration."
    )


class RunInfo(Outgoing):
    """What was chosen when the job ran."""

    device: str
    threads: int
    precision: Computed
    torch: str
    cpu: str
    parameters: int
    lr: float | None = Field(
        default=None,
        description="Learning rate at schedule factor 1: as it was given, or as the range test of "
        "lr auto picked it; its curve is in the event `range_test`.",
    )
    baseline: Baseline | None = Field(
        default=None, description="What the simplest guess reaches, to compare with on the way."
    )
    environment: Environment = Field(
        default={}, description="Everything of the machine that changes the bits of the run."
    )


class Job(Outgoing):
    """A job as clients see it."""

    id: str
    object: Literal["job"] = "job"
    kind: JobKind
    client_id: str | None
    status: JobStatus
    status_reason: str | None
    progress: Progress
    queue_position: int | None = Field(description="1 is next; only while queued.")
    estimated_start_at: Moment | None = Field(
        default=None,
        description="When a queued job may begin, to the minute. A guess: from the progress of the "
        "jobs that run, and from the time that the newest jobs of the same dataset and "
        "architecture took for those ahead. Null when that is not known, when no worker fits, and "
        "behind the first 100 places.",
    )
    priority: int
    attempt: int = Field(description="Claims by a worker so far.")
    error: JobError | None
    result: JobResult | None
    run: RunInfo | None
    parent_job: str | None
    created_at: Moment
    started_at: Moment | None
    ended_at: Moment | None
    updated_at: Moment
    spec: JobSpec
    metadata: dict[str, str]

    @property
    def picked_lr(self) -> float | None:
        """The learning rate that a range test picked; None where there was none, or not yet."""
        if self.run is None or self.spec.optimizer.options().get("lr") != "auto":
            return None
        return self.run.lr


class JobList(Outgoing):
    """A page of jobs, newest first."""

    object: Literal["list"] = "list"
    data: list[Job]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Plan(Outgoing):
    """What a job would do; nothing is stored."""

    object: Literal["plan"] = "plan"
    spec: JobSpec
    parameters: int
    steps_per_epoch: int
    steps: int
    memory_bytes: int = Field(description="Weights, gradients, optimizer state and data; a guess.")
    checkpoint_bytes: int
    estimated_seconds: float = Field(description="On this machine; a guess within a factor of 3.")
    warnings: list[str]


class Claim(Outgoing):
    """A job that a worker holds: with this token, until the lease expires."""

    job_id: str
    kind: JobKind
    lease: str
    attempt: int
    spec: JobSpec


class Checkpoint(Outgoing):
    """A stored training state."""

    id: str
    object: Literal["checkpoint"] = "checkpoint"
    job: str
    kind: CheckpointKind
    step: int
    epoch: int
    metrics: dict[str, float | None]
    bytes: int
    weights_sha256: str
    state_sha256: str
    created_at: Moment


class CheckpointList(Outgoing):
    """The kept checkpoints of a job, newest first."""

    object: Literal["list"] = "list"
    data: list[Checkpoint]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Nonfinite(Outgoing):
    """A value that JSON cannot carry: the series has null at `index`."""

    index: int
    value: Literal["nan", "inf", "-inf"]


class Series(Outgoing):
    """One metric over the steps; the lists have equal length."""

    step: list[int]
    epoch: list[int]
    value: list[float | None]
    nonfinite: list[Nonfinite] = []


class Metrics(Outgoing):
    """All asked-for series of a job."""

    object: Literal["metrics"] = "metrics"
    job: str
    series: dict[str, Series]
    downsampled: bool
