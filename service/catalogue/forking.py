"""Forks: a job's resolved request with a patch, and what of its training state still fits then."""

import json
from collections.abc import Mapping
from typing import Any, cast

from pydantic import JsonValue, ValidationError

from service.catalogue.discovery import Installed
from service.catalogue.inheriting import layout, unfit
from service.catalogue.planning import plan
from service.catalogue.resolving import task_options
from service.domain.beginnings import ContinuesFrom, KeptCheckpoint, Part
from service.domain.components import Component
from service.domain.datasets import DatasetFacts
from service.domain.forks import ForkSource
from service.domain.jobs import Job, JobSpec
from service.domain.merging import merge_patch
from service.domain.problems import invalid_field
from service.domain.requests import JobRequest, TrainingOptions
from service.domain.validation import invalid_fields, to_invalid

_COMPONENTS = ("architecture", "optimizer", "schedule")
_NAMED = 20


def request_form(job: Job) -> dict[str, JsonValue]:
    """Write a job as a client would, with nothing left to a default; `client_id` is its own."""
    spec = job.spec
    options = {name: value for name, value in spec.dataset.options.items() if value is not None}
    return {
        "model": spec.model,
        "dataset": {"name": spec.dataset.name, "task": spec.task, **options},
        "architecture": spec.architecture.options(),
        "optimizer": optimizer_used(job).options(),
        "schedule": spec.schedule.options(),
        "training": spec.training.model_dump(
            mode="json", include=set(TrainingOptions.model_fields)
        ),
        "priority": job.priority,
        "metadata": {**job.metadata},
    }


def optimizer_used(job: Job) -> Component:
    """Return the job's optimizer; where a range test has picked its lr, with that."""
    optimizer = job.spec.optimizer
    if job.picked_lr is None:
        return optimizer
    return Component.model_validate({**optimizer.options(), "lr": job.picked_lr})


def patched_request(
    job_request: type[JobRequest], job: Job, patch: Mapping[str, JsonValue]
) -> JobRequest:
    """Apply a merge patch to the job's request. Raises Invalid with pointers below /patch.

    What the patch replaces takes its dependents with it: another `type` of component its options,
    `epochs` and `max_steps` each other.
    """
    form = request_form(job)
    for name in _COMPONENTS:
        given, before = patch.get(name), cast("dict[str, JsonValue]", form[name])
        if isinstance(given, dict) and given.get("type", before["type"]) != before["type"]:
            form[name] = {}
    options = patch.get("training")
    if isinstance(options, dict):
        training = cast("dict[str, JsonValue]", form["training"])
        if any(options.get(name) is not None for name in ("epochs", "max_steps")):
            training |= {"epochs": None, "max_steps": None}
    body = cast("dict[str, Any]", merge_patch(form, dict(patch)))
    if isinstance(options, dict) and options.get("gradient_clip", 0) is None:
        body["training"]["gradient_clip"] = None  # null means "not clipped"; absent, the recipe's
    try:
        request = job_request.model_validate_json(json.dumps(body))
    except ValidationError as error:
        raise to_invalid(error, body, prefix="/patch", model=job_request) from None
    if request.initialize_from is not None:
        detail = "is not for forks: a fork begins with the weights of its checkpoint"
        raise invalid_field("/patch/initialize_from", detail)
    return request


def fork(
    installed: Installed,
    spec: JobSpec,
    facts: DatasetFacts,
    source: ForkSource,
    preparation: bytes,
) -> JobSpec:
    """Freeze into the spec what a fork keeps. Raises Invalid where nothing is left to keep or do.

    `preparation` is that of the checkpoint's task.
    """
    parent, checkpoint = source.job, source.checkpoint
    if spec.task != parent.spec.task:
        detail = f"makes the task {spec.task}, and the checkpoint is of {parent.spec.task}"
        raise invalid_field("/patch/dataset", f"{detail}; create a new job instead")
    trained_as, dataset = parent.spec.trained_as(checkpoint.state_sha256)
    same_names = _changed_data(spec, parent.spec) is None
    fresh = _fresh(installed, spec, facts, trained_as, preparation, same_names=same_names)
    drops = _drops(installed, spec, source, fresh)
    keeps = _keeps(installed, spec, source, drops)
    here = "position" in keeps
    begun = ContinuesFrom(
        job=parent.id,
        checkpoint=checkpoint.id,
        step=checkpoint.step if here else 0,
        epoch=checkpoint.epoch if here else 0,
        dataset=dataset,
        architecture=trained_as,
        weights_sha256=checkpoint.weights_sha256,
        state_sha256=checkpoint.state_sha256,
        keeps=keeps,
        drops=drops,
    )
    _check_length(installed, spec, facts, parent=parent, step=begun.step)
    if here and spec.training.exact == "required":
        _check_exact(spec, parent)
    return spec.model_copy(update={"continues_from": begun})


def _check_length(
    installed: Installed, spec: JobSpec, facts: DatasetFacts, *, parent: Job, step: int
) -> None:
    """Raise Invalid for a fork that would have nothing left to do."""
    training, before = spec.training, parent.spec.training
    if training.max_steps is not None:
        if step >= training.max_steps:
            detail = f"is reached: the checkpoint is at step {step}; give more than that"
            raise invalid_field("/patch/training/max_steps", detail)
        return
    if before.epochs and parent.progress.steps:  # as it was counted, not planned
        steps_per_epoch = parent.progress.steps // before.epochs
    else:
        steps_per_epoch = plan(installed, spec, facts).steps_per_epoch
    if step >= (training.epochs or 1) * steps_per_epoch:
        detail = f"is reached: the checkpoint is at step {step}, and an epoch has {steps_per_epoch}"
        more = f"give at least {step // steps_per_epoch + 1}"
        raise invalid_field("/patch/training/epochs", f"{detail}; {more}")


def _check_exact(spec: JobSpec, parent: Job) -> None:
    """Raise Invalid for a fork that must go on with the same bits where other bits come out."""
    run, then, now = parent.run, parent.spec.training, spec.training
    chosen = {
        "device": (now.device, then.device, run and run.device.partition(":")[0]),
        "precision": (now.precision, then.precision, run and run.precision),
    }
    detail = "and training.exact is required; leave it as it was, or set exact to preferred"
    wrong = {
        f"/patch/training/{name}": f"was {ran or asked_then}, {detail}"
        for name, (asked, asked_then, ran) in chosen.items()
        if asked not in {"auto", asked_then, ran}
    }
    if wrong:
        raise invalid_fields(wrong)


def _drops(
    installed: Installed, spec: JobSpec, source: ForkSource, fresh: list[str]
) -> dict[Part, str]:
    """Say what does not fit, and why."""
    before = source.job.spec
    drops = _dropped_before(before, source.checkpoint)
    changed = _changed_data(spec, before)
    if fresh:
        drops["weights"] = _in_words(fresh)
    _drop_optimizer(drops, spec, before, changed=changed)
    _drop_position(installed, drops, spec, before, changed=changed)
    _drop_memory(drops, spec, source)
    _drop_schedule(installed, drops, spec, source)
    return drops


def _keeps(
    installed: Installed, spec: JobSpec, source: ForkSource, drops: dict[Part, str]
) -> list[Part]:
    """List what is there and not dropped; all weights or some, some are always kept."""
    there: dict[Part, bool] = {
        "weights": True,
        "optimizer": True,
        "position": True,
        "best": source.best is not None,
        "early_stopping": _both_stop_early(spec, source.job.spec),
        "schedule": _both_watch(installed, spec, source.job.spec),
    }
    return [part for part, is_there in there.items() if is_there and part not in drops]


def _dropped_before(before: JobSpec, checkpoint: KeptCheckpoint) -> dict[Part, str]:
    """Say what the checkpoint does not have, being what its job itself began with."""
    begun = before.beginning
    if begun is None or begun.state_sha256 != checkpoint.state_sha256:
        return {}
    if isinstance(begun, ContinuesFrom):
        return {part: why for part, why in begun.drops.items() if part != "weights"}
    reason = "the checkpoint holds weights alone"
    return {"optimizer": reason, "position": reason}


def _changed_data(spec: JobSpec, before: JobSpec) -> str | None:
    if spec.dataset.sha256 != before.dataset.sha256:
        return "the dataset is another"
    if spec.dataset.options != before.dataset.options:
        return "the dataset's options changed"
    return None


def _fresh(
    installed: Installed,
    spec: JobSpec,
    facts: DatasetFacts,
    trained_as: Any,
    preparation: bytes,
    *,
    same_names: bool,
) -> list[str]:
    """Name the tensors that nothing of the checkpoint fits. Raises Invalid if that is all."""
    task = installed.tasks[spec.task]
    old = layout(installed, trained_as, task.restore(preparation).shape)
    new = layout(installed, spec.architecture, task.shape(facts.facts, task_options(task, spec)))
    fresh = unfit(old, new, same_names=same_names)
    if len(fresh) == len(new):
        detail = "leaves nothing of the checkpoint's weights that fits; create a new job instead"
        raise invalid_field("/patch/architecture", detail)
    return fresh


def _in_words(fresh: list[str]) -> str:
    more = f" and {len(fresh) - _NAMED} more" if len(fresh) > _NAMED else ""
    return f"fresh, for nothing in the checkpoint fits: {', '.join(fresh[:_NAMED])}{more}"


def _drop_optimizer(
    drops: dict[Part, str], spec: JobSpec, before: JobSpec, *, changed: str | None
) -> None:
    if spec.optimizer.type != before.optimizer.type:
        drops["optimizer"] = f"it was {before.optimizer.type} and is {spec.optimizer.type}"
    elif "weights" in drops:
        drops["optimizer"] = "not all weights fit"
    elif changed:
        drops["optimizer"] = changed


def _drop_position(
    installed: Installed,
    drops: dict[Part, str],
    spec: JobSpec,
    before: JobSpec,
    *,
    changed: str | None,
) -> None:
    full = [installed.optimizers.get(each.optimizer.type) for each in (spec, before)]
    now, then = (kind is not None and kind.full_batch for kind in full)
    if changed:
        drops["position"] = changed
    elif spec.training.batch_size != before.training.batch_size:
        drops["position"] = "the batch size changed"
    elif spec.training.seed != before.training.seed:
        drops["position"] = "the seed changed"
    elif now != then:
        drops["position"] = "one of the two optimizers takes all data in a step"


def _drop_memory(drops: dict[Part, str], spec: JobSpec, source: ForkSource) -> None:
    """Drop what was remembered of metrics that do not go on."""
    before = source.job.spec
    reason = "training begins again at step 0" if "position" in drops else None
    if "weights" in drops:
        reason = reason or "not all weights fit"
    trained_as, _ = before.trained_as(source.checkpoint.state_sha256)
    if source.best is None and not source.best_is_gone:
        drops.pop("best", None)  # there is none yet
    elif reason or spec.training.best_metric != before.training.best_metric:
        drops["best"] = reason or "the metric is another"
    elif spec.architecture != trained_as:
        drops["best"] = "the architecture changed"
    elif source.best_is_gone:
        drops["best"] = "the best checkpoint of that moment is no longer kept"
    stopping, stopped = spec.training.early_stopping, before.training.early_stopping
    if stopped is None or stopping is None:
        drops.pop("early_stopping", None)
    elif reason or stopping.metric != stopped.metric:
        drops["early_stopping"] = reason or "the metric is another"


def _drop_schedule(
    installed: Installed, drops: dict[Part, str], spec: JobSpec, source: ForkSource
) -> None:
    """Drop what a schedule has seen where it was seen of another training."""
    before = source.job.spec
    if not _both_watch(installed, spec, before):
        drops.pop("schedule", None)
    elif "position" in drops:
        drops["schedule"] = "training begins again at step 0"
    elif "weights" in drops:
        drops["schedule"] = "not all weights fit"
    elif spec.schedule != before.schedule or spec.optimizer != optimizer_used(source.job):
        drops["schedule"] = "options of the schedule or of the optimizer changed"


def _both_watch(installed: Installed, spec: JobSpec, before: JobSpec) -> bool:
    kinds = [installed.schedules.get(each.schedule.type) for each in (spec, before)]
    return all(kind is not None and kind.watch is not None for kind in kinds)


def _both_stop_early(spec: JobSpec, before: JobSpec) -> bool:
    return bool(spec.training.early_stopping and before.training.early_stopping)
