"""A model: a name with immutable versions, each made of one checkpoint."""

from typing import Literal, NamedTuple

from pydantic import Field

from service.domain.base import Incoming, Moment, Outgoing
from service.domain.components import Component
from service.domain.evaluations import Evaluation
from service.domain.jobs import Baseline
from service.domain.text import ShortText


class ModelVersion(Outgoing):
    """One version as clients see it."""

    id: str
    object: Literal["model_version"] = "model_version"
    model: str | None
    version: int | None
    task: str
    architecture: Component
    dataset: str
    job: str | None
    checkpoint: str | None
    metrics: dict[str, float | None]
    baseline: Baseline | None = Field(
        description="null for a checkpoint of a job that has not trained by itself yet."
    )
    evaluation: Evaluation | None = Field(
        default=None,
        description="null for a checkpoint whose weights no job ended with: only those are told.",
    )
    parameters: int
    bytes: int
    weights_sha256: str
    created_at: Moment


class PromotionRequest(Incoming):
    """The body of `POST /v1/models/{name}/versions`."""

    checkpoint: ShortText = Field(description="A kept checkpoint of any job, `ckpt_…`.")


class Model(Outgoing):
    """A named model; `latest` is its newest version."""

    object: Literal["model"] = "model"
    name: str
    task: str
    latest: ModelVersion
    versions: list[int] = Field(description="Newest first.")
    created_at: Moment


class ModelList(Outgoing):
    """A page of models, newest first; the cursor is the name."""

    object: Literal["list"] = "list"
    data: list[Model]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ModelVersionList(Outgoing):
    """A page of a model's versions, newest first."""

    object: Literal["list"] = "list"
    data: list[ModelVersion]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Servable(NamedTuple):
    """What a model name stands for at this moment: enough to load and to answer."""

    model: str
    version: int | None
    checkpoint: str | None
    task: str
    architecture: Component
    dataset: str
    weights_sha256: str
    weights_bytes: int
    preparation_sha256: str
