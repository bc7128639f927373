"""How a job begins that was given its first checkpoint: as a fork, or with a model's weights.

What fits goes into the new model; what does not is told in an event, exactly.
"""

from pydantic import JsonValue

from service.catalogue import Inheritance, Trainable
from service.domain.beginnings import NO_STATE, Beginning, ContinuesFrom, InitialWeights
from service.domain.jobs import JobSpec
from service.domain.ports import Recorder
from service.store.blobs import DatabaseBlobs
from service.store.checkpoints import ResumePoint
from service.training.start import Saved
from service.training.state import holds_carry
from service.worker.runners.base import Run


def begins_here(spec: JobSpec, point: ResumePoint | None) -> bool:
    """Tell whether the job has nothing of its own yet but the checkpoint that it was given."""
    begun = spec.beginning
    return begun is not None and point is not None and point.state_sha256 == begun.state_sha256


def begin(
    attempt: Run,
    trainable: Trainable,
    point: ResumePoint,
    source: DatabaseBlobs,
    recorder: Recorder,
) -> Saved | None:
    """Put the given weights into the model; return what the rest of the state goes on from."""
    spec = attempt.claim.spec
    begun = spec.beginning
    weights = source.read(point.weights_sha256)
    if begun is None:
        message = f"{attempt.claim.job_id} began with nothing"
        raise ValueError(message)
    inheritance = attempt.catalogue.inherit(
        trainable,
        spec,
        trained_as=begun.architecture,
        weights=weights,
        preparation=source.read(point.preparation_sha256),
    )
    if not isinstance(begun, ContinuesFrom):
        recorder.event("warning", _initialized(begun, inheritance))
        return None
    state = source.read(point.state_blob_sha256)
    drops: dict[str, JsonValue] = {**begun.drops}
    if "position" in begun.keeps and "weights" in drops and holds_carry(state):
        drops["carry"] = "not all weights fit"
    if drops:
        recorder.event("warning", _dropped(begun, drops, inheritance))
    if state == NO_STATE:
        return None
    return Saved(point.checkpoint, weights, state, keeps=frozenset(begun.keeps))


def _dropped(
    begun: ContinuesFrom, drops: dict[str, JsonValue], inheritance: Inheritance
) -> dict[str, JsonValue]:
    parts = ", ".join(drops)
    return {
        "code": "state_dropped",
        "message": f"The fork of {begun.job} goes on without what does not fit: {parts}.",
        "drops": drops,
        **_counts(inheritance),
    }


def _initialized(begun: Beginning, inheritance: Inheritance) -> dict[str, JsonValue]:
    model = begun.model if isinstance(begun, InitialWeights) else ""
    taken, fresh, forgotten, _ = inheritance
    return {
        "code": "initialized_from",
        "message": f"The weights are those of {model}: {taken} words or classes are taken over, "
        f"{fresh} are fresh, {forgotten} are forgotten.",
        "model": model,
        **_counts(inheritance),
    }


def _counts(inheritance: Inheritance) -> dict[str, JsonValue]:
    return {
        "names": {
            "taken_over": inheritance.taken,
            "fresh": inheritance.fresh,
            "forgotten": inheritance.forgotten,
        },
        "fresh_tensors": [*inheritance.fresh_tensors],
    }
