"""What leaves the service with a model: all that is known of a version, or of a checkpoint."""

from typing import NamedTuple

from sqlalchemy.orm import Session

from service.domain.cards import ModelCard
from service.domain.evaluations import Evaluation
from service.domain.jobs import Baseline, JobSpec
from service.domain.models import Servable
from service.store import cards
from service.store.models import evaluations_of, find_version, get_servable
from service.store.tables import CheckpointRow, JobRow, ModelVersionRow


class Exported(NamedTuple):
    """A model and what is known of it; of a checkpoint there is no card."""

    servable: Servable
    id: str
    metrics: dict[str, float | None]
    baseline: Baseline | None
    evaluation: Evaluation | None
    dataset_sha256: str | None
    card: ModelCard | None


def get_exported(session: Session, reference: str) -> Exported:
    """Find what a name stands for, with all that is known. Raises as `get_servable` does."""
    servable = get_servable(session, reference)
    version = _version_of(session, reference, servable)
    if version is not None:
        card = cards.get_card(session, version.id)
        return Exported(
            servable=servable,
            id=version.id,
            metrics=card.metrics,
            baseline=card.baseline,
            evaluation=card.evaluation,
            dataset_sha256=card.dataset.sha256,
            card=card.model_copy(update={"aliases": []}),  # they move
        )
    row = session.get_one(CheckpointRow, servable.checkpoint)
    job = session.get_one(JobRow, row.job_id)
    spec = JobSpec.model_validate(job.spec)
    known = filter(None, session.scalars(evaluations_of(row)))
    return Exported(
        servable=servable,
        id=row.id,
        metrics=row.metrics,
        baseline=None,
        evaluation=next(map(Evaluation.model_validate, known), None),
        dataset_sha256=spec.dataset.sha256 if spec.dataset.name == servable.dataset else None,
        card=None,
    )


def _version_of(session: Session, reference: str, servable: Servable) -> ModelVersionRow | None:
    """Find the version that a name stands for, also as `job_…` once that has succeeded."""
    if reference.startswith("ckpt_"):
        return None
    if not reference.startswith("job_"):
        return find_version(session, reference)
    if servable.version is not None:
        return find_version(session, f"{servable.model}@{servable.version}")
    # A name alone would be its newest version, which another job may have made.
    return find_version(session, servable.model) if servable.model.startswith("mdl_") else None
