"""A model: a name with immutable versions, each made of one checkpoint."""

from typing import Literal, NamedTuple

from pydantic import Field

from service.domain.base import Incoming, Moment, Outgoing
from service.domain.bundles import Origin
from service.domain.components import Component
from service.domain.evaluations import Evaluation
from service.domain.jobs import Baseline
from service.domain.text import LongText, ShortText


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
    aliases: list[str] = Field(default=[], description="Names that stand for this version now.")
    origin: Origin | None = Field(
        default=None, description="Where it was before it was brought in; null: trained here."
    )
    created_at: Moment


class PromotionRequest(Incoming):
    """The body of `POST /v1/models/{name}/versions`."""

    checkpoint: ShortText = Field(description="A kept checkpoint of any job, `ckpt_…`.")


class ModelChange(Incoming):
    """The body of `PATCH /v1/models/{name}`, a merge patch (RFC 7396): what is absent stays."""

    description: LongText | None = Field(
        default=None, description="What the model is for, and for what it is not. Markdown."
    )
    tags: list[ShortText] | None = Field(
        default=None, max_length=50, description="Words to find it by, each once; null: none."
    )


class AliasRequest(Incoming):
    """The body of `PUT /v1/models/{name}/aliases/{alias}`."""

    version: int = Field(ge=1, le=2**63 - 1, description="The number of the version.")


class Alias(Outgoing):
    """A name for one version, which can be given to another at any time."""

    object: Literal["model_alias"] = "model_alias"
    model: str
    alias: str
    version: int
    model_id: str
    changed_at: Moment


class Model(Outgoing):
    """A named model; `latest` is its newest version."""

    object: Literal["model"] = "model"
    name: str
    task: str
    latest: ModelVersion
    versions: list[int] = Field(description="Newest first.")
    aliases: dict[str, int] = Field(default={}, description="Alias → the version it stands for.")
    description: str | None = None
    tags: list[str] = []
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
    temperature: float | None = None
    """What its logits are divided by to be calibrated; None: nobody has measured it."""
    job: str | None = None
    """What trained it, unless that is not here any more."""
