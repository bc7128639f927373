"""Whether the weights of a model can be where a job begins, and if not, why."""

from service.catalogue.discovery import Installed
from service.catalogue.inheriting import MIXED, layout, options_that_differ
from service.catalogue.resolving import task_options
from service.domain.beginnings import InitialWeights
from service.domain.datasets import DatasetFacts
from service.domain.jobs import JobSpec
from service.domain.models import Servable
from service.domain.problems import Invalid, invalid_field
from service.domain.shapes import Shape

_NAMES = {"kind", "vocabulary_size", "classes", "numbers", "outputs"}


def initialize(
    installed: Installed,
    spec: JobSpec,
    facts: DatasetFacts,
    reference: str,
    model: Servable,
    preparation: bytes,
    state_sha256: str,
) -> JobSpec:
    """Freeze into the spec which weights a job begins with. Raises Invalid where they do not fit.

    `preparation` is that of the model's task. Words and classes may be others: rows of those that
    both know are taken over.
    """
    if model.task != spec.task:
        detail = f"is a model of {model.task}, and this job is of {spec.task}"
        raise _refused(f"{detail}: name a model of the same task")
    task = installed.tasks[spec.task]
    old, new = task.restore(preparation).shape, task.shape(facts.facts, task_options(task, spec))
    _check_architecture(installed, spec, model, old)
    before = layout(installed, model.architecture, old)
    after = layout(installed, spec.architecture, new)
    if before != after:
        detail = f"is made for data with {_in_words(old)}, and these have {_in_words(new)}"
        raise _refused(f"{detail}; its weights depend on that: begin without it")
    if any(MIXED in sizes for sizes in after.values()) and spec.dataset.name != model.dataset:
        raise _refused("has weights that mix names; only the same dataset will do")
    weights = InitialWeights(
        model=reference,
        version=model.version,
        checkpoint=model.checkpoint,
        dataset=model.dataset,
        architecture=model.architecture,
        weights_sha256=model.weights_sha256,
        preparation_sha256=model.preparation_sha256,
        state_sha256=state_sha256,
    )
    return spec.model_copy(update={"initialize_from": weights})


def _check_architecture(installed: Installed, spec: JobSpec, model: Servable, shape: Shape) -> None:
    made = model.architecture
    if made.type != spec.architecture.type:
        detail = f"is of type {made.type}, and this job of type {spec.architecture.type}"
        raise _refused(f"{detail}: give the model's own architecture, {made.model_dump_json()}")
    differ = options_that_differ(installed, made, spec.architecture, shape)
    if differ:
        options = made.options()
        own = ", ".join(f"{name} {options.get(name)}" for name in differ)
        raise _refused(
            f"has weights of other shapes: the model has {own}; give the same, as in its own "
            f"architecture, {made.model_dump_json()}"
        )


def _in_words(shape: Shape) -> str:
    sizes = shape.model_dump(exclude=_NAMES)
    return ", ".join(f"{name} {size}" for name, size in sizes.items()) or "other words"


def _refused(detail: str) -> Invalid:
    return invalid_field("/initialize_from", detail)
