"""Model cards: everything that the database knows of one version."""

from sqlalchemy.orm import Session

from service.domain.cards import ModelCard, TrainedBy, TrainedOn, limits
from service.domain.jobs import JobSpec, Progress, RunInfo
from service.domain.models import ModelVersion
from service.store.datasets import get_facts_by_id
from service.store.errors import DatasetNotFound
from service.store.events import list_events
from service.store.models import get_model, get_version
from service.store.tables import DatasetRow, JobRow

_MOST_FINDINGS = 100


def get_card(session: Session, reference: str) -> ModelCard:
    """Tell what is known of a version, by any of its names. Raises ModelNotFound."""
    version = get_version(session, reference)
    job = session.get(JobRow, version.job) if version.job else None
    spec = None if job is None else JobSpec.model_validate(job.spec)
    named = get_model(session, version.model) if version.model else None
    card = ModelCard(
        id=version.id,
        model=version.model,
        version=version.version,
        aliases=version.aliases,
        description=None if named is None else named.description,
        tags=[] if named is None else named.tags,
        task=version.task,
        architecture=version.architecture,
        parameters=version.parameters,
        bytes=version.bytes,
        weights_sha256=version.weights_sha256,
        dataset=_dataset(session, version, spec),
        training=None if job is None or spec is None else _training(session, job, spec),
        metrics=version.metrics,
        baseline=version.baseline,
        evaluation=version.evaluation,
        origin=version.origin,
        created_at=version.created_at,
    )
    return card.model_copy(update={"limits": limits(card)})


def _dataset(session: Session, version: ModelVersion, spec: JobSpec | None) -> TrainedOn:
    """Tell of the data by the id in the job's spec: another dataset may have taken the name."""
    # A fork may have been promoted before it trained on data of its own.
    if spec is None or spec.dataset.name != version.dataset:
        told = version.origin
        return TrainedOn(name=version.dataset, sha256=told.dataset_sha256 if told else None)
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


def _training(session: Session, job: JobRow, spec: JobSpec) -> TrainedBy:
    told = list_events(session, job.id, event_type="finding", limit=_MOST_FINDINGS)
    return TrainedBy(
        job=job.id,
        optimizer=spec.optimizer,
        schedule=spec.schedule,
        training=spec.training,
        steps=Progress.model_validate(job.progress).step,
        seconds=job.trained_seconds,
        run=RunInfo.model_validate(job.run) if job.run else None,
        begun_with=_begun_with(spec),
        findings=[str(each.data["message"]) for each in told],
    )


def _begun_with(spec: JobSpec) -> str | None:
    if spec.continues_from is not None:
        return spec.continues_from.job
    return None if spec.initialize_from is None else spec.initialize_from.model
