"""`initialize_from`: a job that begins with the weights of a model."""

from functools import partial

from service.api.parts import Parts
from service.domain.beginnings import NO_STATE, KeptCheckpoint
from service.domain.datasets import DatasetFacts
from service.domain.jobs import JobSpec
from service.store import blobs as blob_store
from service.store import models as model_store
from service.store.beginnings import FirstCheckpoint
from service.store.checkpoints import state_sha256
from service.store.gone import again_when_gone


def take_over(
    parts: Parts, spec: JobSpec, facts: DatasetFacts, reference: str | None, *, hold: bool
) -> tuple[JobSpec, list[FirstCheckpoint]]:
    """Freeze what a model name stands for into the spec; return what the job begins with.

    With `hold`, the bytes are held until the transaction that accepts the job. Raises
    ModelNotFound, ModelNotReady, ModelNeverTrained, and Invalid where the weights do not fit.
    """
    if reference is None:
        return spec, []
    return again_when_gone(partial(_take_over, parts, spec, facts, reference, hold=hold))


def _take_over(
    parts: Parts, spec: JobSpec, facts: DatasetFacts, reference: str, *, hold: bool
) -> tuple[JobSpec, list[FirstCheckpoint]]:
    with parts.database.read() as session:
        model = model_store.get_servable(session, reference)
    preparation = blob_store.read(parts.database, model.preparation_sha256)
    empty = blob_store.sha256_of(NO_STATE)
    whole = state_sha256(model.weights_sha256, empty)
    spec = parts.catalogue.initialize(spec, facts, reference, model, preparation, whole)
    if not hold:
        return spec, []
    blob_store.hold(parts.database, model.weights_sha256, model.weights_bytes)
    blob_store.hold(parts.database, model.preparation_sha256, len(preparation))
    blob_store.put(parts.database, NO_STATE)
    copied = KeptCheckpoint(
        id=model.checkpoint or "",
        step=0,
        epoch=0,
        metrics={},
        bytes=model.weights_bytes + len(NO_STATE),
        weights_sha256=model.weights_sha256,
        weights_bytes=model.weights_bytes,
        state_sha256=whole,
        state_blob_sha256=empty,
        preparation_sha256=model.preparation_sha256,
    )
    return spec, [FirstCheckpoint("latest", copied, 0, 0, held=True)]
