"""Model cards: everything that the database knows of one version."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.beginnings import ContinuesFrom, InitialWeights
from service.domain.cards import ModelCard, TrainedBy, TrainedOn, limits
from service.domain.jobs import JobSpec, Progress, RunInfo
from service.domain.models import ModelVersion
from service.store.datasets import get_facts_by_id
from service.store.errors import DatasetNotFound
from service.store.events import list_events
from service.store.models import get_version
from service.store.tables import DatasetRow, JobRow, ModelNameRow, ModelTagRow

_MOST_FINDINGS = 100


def get_card(session: Session, reference: str) -> ModelCard:
    """Tell what is known of a version, by any of its names. Raises ModelNotFound."""
    version = get_version(session, reference)
    job = session.get(JobRow, version.job) if version.job else None
    name = session.get(ModelNameRow, version.model) if version.model else None
    tags = sa.select(ModelTagRow.tag).where(ModelTagRow.name == version.model)
    card = ModelCard(
        id=version.id,
        model=version.model,
        version=version.version,
        aliases=version.aliases,
        description=None if name is None else name.description,
        tags=[*session.scalars(tags.order_by(ModelTagRow.tag))],
        task=version.task,
        architecture=version.architecture,
        parameters=version.parameters,
        bytes=version.bytes,
        weights_sha256=version.weights_sha256,
        dataset=_dataset(session, version, job),
        training=None if job is None else _training(session, job),
        metrics=version.metrics,
        baseline=version.baseline,
        evaluation=version.evaluation,
        created_at=version.created_at,
    )
    return card.model_copy(update={"limits": limits(card)})


def _dataset(session: Session, version: ModelVersion, job: JobRow | None) -> TrainedOn:
    """Tell of the data by the id in the job's spec: another dataset may have taken the name."""
    if job is None:
        return TrainedOn(name=version.dataset)
    spec = JobSpec.model_validate(job.spec)
    if spec.dataset.name != version.dataset:  # a fork was promoted before it trained on its own
        return TrainedOn(name=version.dataset)
    known = TrainedOn(
        name=version.dataset, sha256=spec.dataset.sha256, options={**spec.dataset.options}
    )
    try:
        facts = get_facts_by_id(session, spec.dataset.id)
    except DatasetNotFound:
        return known
    row = session.get(DatasetRow, spec.dataset.id)
    about = {} if row is None else {"source": row.source, "licence": row.licence}
    return known.model_copy(update={"facts": facts.facts, **about})


def _training(session: Session, job: JobRow) -> TrainedBy:
    spec = JobSpec.model_validate(job.spec)
    told = list_events(session, job.id, event_type="finding", limit=_MOST_FINDINGS)
    begun = spec.beginning
    return TrainedBy(
        job=job.id,
        optimizer=spec.optimizer,
        schedule=spec.schedule,
        training=spec.training,
        steps=Progress.model_validate(job.progress).step,
        seconds=job.trained_seconds,
        run=RunInfo.model_validate(job.run) if job.run else None,
        begun_with=(
            begun.job
            if isinstance(begun, ContinuesFrom)
            else begun.model
            if isinstance(begun, InitialWeights)
            else None
        ),
        findings=[str(each.data["message"]) for each in told],
    )
