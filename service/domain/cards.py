"""A model card (Mitchell et al. 2019): what a model was made of, what it is worth, and its limits.

All of it is what the service knows by itself; only the description is a person's.
"""

from typing import Literal

from pydantic import Field

from service.domain.base import Moment, Outgoing
from service.domain.bundles import Origin
from service.domain.components import Component
from service.domain.datasets import AnyFacts
from service.domain.evaluations import Evaluation, smaller_is_better
from service.domain.jobs import Baseline, RunInfo, TrainingSpec

FEW_EXAMPLES = 200
BADLY_CALIBRATED = 0.1


class TrainedOn(Outgoing):
    """The data. What is null is not known any more: the dataset or the job was deleted."""

    name: str
    sha256: str | None = None
    source: str | None = None
    licence: str | None = None
    facts: AnyFacts | None = None
    options: dict[str, object] = Field(default={}, description="Of the task, as it read the data.")


class TrainedBy(Outgoing):
    """The job, and what was chosen when it ran."""

    job: str
    optimizer: Component
    schedule: Component
    training: TrainingSpec
    steps: int
    seconds: float
    run: RunInfo | None = None
    begun_with: str | None = Field(
        default=None, description="The model or the job whose weights it began with."
    )
    findings: list[str] = Field(default=[], description="What the doctor said while it trained.")


class ModelCard(Outgoing):
    """One version of a model, told to people; `limits` are sentences."""

    object: Literal["model_card"] = "model_card"
    id: str
    model: str | None
    version: int | None
    aliases: list[str] = []
    description: str | None = None
    tags: list[str] = []
    task: str
    architecture: Component
    parameters: int
    bytes: int
    weights_sha256: str
    dataset: TrainedOn
    training: TrainedBy | None = Field(description="null: the job was deleted, or is elsewhere.")
    origin: Origin | None = Field(default=None, description="Where it was brought in from.")
    metrics: dict[str, float | None] = Field(description="Of the checkpoint, on validation data.")
    baseline: Baseline | None
    evaluation: Evaluation | None
    limits: list[str] = []
    created_at: Moment


def limits(card: ModelCard) -> list[str]:
    """Say what who relies on this model should know; each sentence follows from its numbers."""
    found = [*_of_data(card), *_of_evidence(card)]
    if card.origin is not None:
        found.append("It was trained elsewhere; all that is known of it is what came with it.")
    if card.training is not None:
        found += [f"While it trained: {said}" for said in card.training.findings]
    return found


def _of_data(card: ModelCard) -> list[str]:
    facts = card.dataset.facts
    match facts.type if facts is not None else None:
        case "text":
            return ["It has seen one text; what that does not hold, it cannot say."]
        case "labelled_text":
            return ["It knows its classes only: every text is taken for one of them."]
        case "idx" | "image_folder":
            return ["It knows its classes only: a picture of anything else is taken for one, too."]
        case "table":
            return ["It was trained on the ranges of its columns; beyond them it guesses."]
        case _:
            return []


def _of_evidence(card: ModelCard) -> list[str]:
    evaluation = card.evaluation
    if evaluation is None:
        return ["How sure its metrics are is not known: only what a job ended with is measured."]
    found: list[str] = []
    if evaluation.examples < FEW_EXAMPLES:
        found.append(
            f"It was measured on {evaluation.examples} examples only: look at the intervals."
        )
    beaten = _not_better(card)
    if beaten:
        found.append(f"It is no better than {beaten}, which looks at nothing.")
    calibration = evaluation.calibration
    if calibration is not None and calibration.error_before > BADLY_CALIBRATED:
        found.append(
            f"Its probabilities are off by {calibration.error_before:.0%} on average, by "
            f"{calibration.error_after:.0%} at a temperature of {calibration.temperature:.2g}."
        )
    missed = [each.label for each in evaluation.classes if each.recall == 0]
    if missed:
        found.append(f"It recognised no example of {', '.join(map(repr, missed[:5]))}.")
    return found


def _not_better(card: ModelCard) -> str | None:
    """Name the simplest guess if no metric is better than its own."""
    if card.baseline is None:
        return None
    compared = [
        (name, value, theirs)
        for name, theirs in card.baseline.metrics.items()
        if (value := card.metrics.get(name)) is not None
    ]
    better = [
        value < theirs if smaller_is_better(name) else value > theirs
        for name, value, theirs in compared
    ]
    return card.baseline.name if compared and not any(better) else None
