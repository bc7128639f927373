"""What a client asks for when it POSTs a job; the catalogue types its component fields."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, Strict, model_validator

from service.domain.base import Incoming
from service.domain.components import Component
from service.domain.text import ClientId, Name, ShortText

Device = Literal["auto", "cpu", "cuda", "mps"]
Computed = Literal["float32", "bfloat16"]
"""What matrices are multiplied in."""
Precision = Literal["float32", "bfloat16", "auto"]
Exactness = Literal["preferred", "required"]
JobKind = Literal["train"]
Sizes = Annotated[tuple[Annotated[int, Strict(), Field(ge=1, le=65536)], ...], Strict(False)]
"""A list of layer sizes. Its items are strict; JSON has no tuples, so the list itself cannot be."""

SEED_MAX = 2**63 - 1


class EarlyStopping(Incoming):
    """Stop when a validation metric has not improved for `patience` epochs."""

    metric: ShortText = Field(default="val_loss", description="A validation metric of the task.")
    patience: int = Field(default=3, ge=1, le=10_000, description="Epochs without improvement.")


class Ema(Incoming):
    """An exponential moving average of the weights, which validates and is served in their place.

    After step t: average ← d · average + (1 - d) · weights, d = min(decay, (1 + t) / (10 + t))
    (Polyak and Juditsky 1992). Running statistics of batch norm are averaged alike.
    """

    decay: float = Field(
        default=0.999, gt=0, lt=1, description="How much of the average is kept at each step."
    )


class CheckpointPolicy(Incoming):
    """When checkpoints are written and how many of each kind are kept."""

    every_steps: int | None = Field(
        default=None, ge=1, description="Also write one every so many steps; null: epochs only."
    )
    keep_best: int = Field(default=1, ge=1, le=100)
    keep_latest: int = Field(default=1, ge=1, le=100)
    keep_periodic: int = Field(default=20, ge=0, le=1000)


class TrainingOptions(Incoming):
    """How long and how a model is trained. A null is filled in by the architecture's recipe."""

    epochs: int | None = Field(default=None, ge=1, le=100_000, description="Passes over the data.")
    max_steps: int | None = Field(
        default=None, ge=1, le=100_000_000, description="Optimizer steps, instead of `epochs`."
    )
    batch_size: int | None = Field(default=None, ge=1, le=65_536, description="Examples per step.")
    seed: int = Field(default=0, ge=0, le=SEED_MAX, description="Fixes weights, order, dropout.")
    device: Device = "auto"
    precision: Precision | None = Field(
        default=None,
        description="bfloat16: matrices are multiplied in 16 bits with 8 of them for the exponent; "
        "weights, sums, softmax, norms and validation stay in float32 (Micikevicius et al. 2018, "
        "Kalamkar et al. 2019). auto: whichever trained this model faster in a short trial at the "
        "beginning, and float32 for small ones; `run.precision` says which it was. null: what the "
        "architecture names, for most float32.",
    )
    gradient_clip: float | None = Field(
        default=None, gt=0, description="Largest norm of the gradient; null: not clipped."
    )
    early_stopping: EarlyStopping | None = None
    checkpoint: CheckpointPolicy = CheckpointPolicy()
    max_seconds: float | None = Field(
        default=None, gt=0, description="End after so much training time, as succeeded."
    )
    exact: Exactness = Field(
        default="preferred",
        description="required: once there is a checkpoint, wait for a worker that goes on with the "
        "same bits; preferred: go on anyway, and say in an event what differs.",
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="s: the training loss is (1 - s) · -log p(true) + s · the mean of -log p over "
        "all classes or words (Szegedy et al. 2016). Metrics of validation are not smoothed. Not "
        "for tasks that predict numbers.",
    )
    ema: Ema | None = Field(
        default=None,
        description="Validate, keep and serve an average of the weights; null: the weights.",
    )

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.max_steps is not None:
            message = "give either epochs or max_steps, not both"
            raise ValueError(message)
        return self


class DatasetChoice(Incoming):
    """The dataset of a job; further fields are options of the task (see `GET /v1/tasks`)."""

    model_config = ConfigDict(extra="allow")

    name: Name
    task: ShortText | None = Field(default=None, description="null: the task the data ask for.")


class JobRequest(Incoming):
    """The body of `POST /v1/jobs`. Components may be given as a bare string: with its defaults."""

    model: Name | None = Field(default=None, description="Name under which versions are made.")
    dataset: DatasetChoice
    architecture: Component
    optimizer: Component | None = Field(default=None, description="null: the architecture's own.")
    schedule: Component | None = Field(default=None, description="null: the architecture's own.")
    training: TrainingOptions = TrainingOptions()
    initialize_from: ShortText | None = Field(
        default=None,
        description="A model, by any of its names, whose weights are where this job begins: with "
        "new data, optimizer and counters. Its task and architecture must be the same; rows of "
        "words and classes that both know are taken over.",
        examples=["eating@3"],
    )
    priority: int = Field(default=0, ge=-100, le=100, description="Higher is claimed first.")
    client_id: ClientId | None = Field(default=None, description="Your own id for this job.")
    metadata: Annotated[dict[ShortText, ShortText], Field(max_length=64)] = {}


class ForkRequest(Incoming):
    """The body of `POST /v1/jobs/{id}/fork`."""

    checkpoint: ShortText | None = Field(
        default=None, description="A kept checkpoint of the job; null: the one that came furthest."
    )
    patch: dict[ShortText, JsonValue] = Field(
        default={},
        description="A JSON Merge Patch (RFC 7396) for the job as it was resolved: what a client "
        "would have sent to make it, with every default filled in.",
        examples=[{"optimizer": {"lr": 0.01}, "training": {"epochs": 20}}],
    )
