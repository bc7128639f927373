"""A model on its way from one server to another: what its `config.json` says, and who sends it."""

from typing import Literal

from pydantic import Field

from service.domain.base import Incoming, Outgoing
from service.domain.components import Component
from service.domain.evaluations import Evaluation
from service.domain.jobs import Baseline
from service.domain.shapes import Shape
from service.domain.text import LongText, Name, ShortText

FORMAT_VERSION = 1


class Origin(Outgoing):
    """Where a model was before it was brought in; all of it is what the zip says."""

    id: ShortText = Field(description="Of the version, or the checkpoint.")
    model: ShortText | None = None
    version: int | None = None
    dataset_sha256: ShortText | None = None
    trainyard: ShortText = Field(description="The version of the service that packed it.")


class BundleConfig(Outgoing):
    """The file `config.json` of a bundle: how the network is built, and what is known of it."""

    format: Literal["trainyard-model"] = "trainyard-model"
    format_version: Literal[1] = FORMAT_VERSION
    task: ShortText
    architecture: Component
    shape: Shape
    dataset: ShortText
    origin: Origin
    parameters: int
    metrics: dict[str, float | None] = {}
    baseline: Baseline | None = None
    evaluation: Evaluation | None = None
    weights_sha256: ShortText
    preparation_sha256: ShortText


class ImportSpec(Incoming):
    """The part `spec` of `POST /v1/models`: what the model is called here."""

    name: Name
    description: LongText | None = Field(
        default=None, description="What the model is for; what was said before is replaced."
    )
