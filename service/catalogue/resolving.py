"""From what a client asks for to a spec that leaves nothing open."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError
from torch import nn

from service.architectures.base import Architecture, Recipe
from service.catalogue.contexts import within_context
from service.catalogue.discovery import Installed
from service.catalogue.undrawn import undrawn
from service.domain.base import resolved_options
from service.domain.components import Component, ComponentConfig
from service.domain.datasets import DatasetFacts
from service.domain.jobs import CheckpointSpec, DatasetSpec, JobSpec, TrainingSpec
from service.domain.problems import Problem, invalid_field, known_names
from service.domain.requests import JobRequest, TrainingOptions
from service.domain.shapes import Shape
from service.domain.validation import invalid_fields, to_invalid
from service.tasks.base import TaskKind, TaskOptions

ModelT = TypeVar("ModelT", bound=BaseModel)


class Builder(NamedTuple):
    """The function that builds an architecture, and its options, all of them said."""

    build: Callable[..., nn.Module]
    options: Component
    shortest: Component
    """The same without options that came later and are at their default: as specs have it."""


class _HasConfig(Protocol):
    @property
    def config(self) -> type[ComponentConfig]: ...


def resolve(
    installed: Installed, request: JobRequest, facts: DatasetFacts, *, max_parameters: int
) -> JobSpec:
    """Fill in every default and check that the parts go together. Raises Invalid with pointers."""
    task = _choose_task(installed, request, facts)
    options = _task_options(installed, task, request)
    shape = task.shape(facts.facts, options)
    architecture = _choose_architecture(installed, request.architecture, shape)
    options = within_context(options, context_of(installed, request.architecture))
    recipe = architecture.recipes.get(shape.kind, architecture.recipe)
    optimizer = _optimizer(installed, request.optimizer, recipe)
    schedule = request.schedule or recipe.schedule
    spec = JobSpec(
        model=request.model,
        task=task.name,
        dataset=DatasetSpec(
            name=facts.name,
            id=facts.id,
            type=facts.facts.type,
            sha256=facts.sha256,
            options=resolved_options(options),
        ),
        architecture=_filled(installed.architectures, request.architecture, "/architecture"),
        optimizer=optimizer,
        schedule=_schedule(installed, schedule, task),
        training=_training(request.training, recipe, task),
    )
    _check_parameters(installed, spec.architecture, shape, max_parameters)
    return spec


def read_config(
    kinds: Mapping[str, _HasConfig], component: Component, pointer: str
) -> ComponentConfig:
    """Read a component as its own config. Raises Invalid for unknown types and wrong options."""
    kind = kinds.get(component.type)
    if kind is None:
        names = known_names(kinds, near=component.type)
        raise invalid_field(f"{pointer}/type", f"is not installed; {names}")
    return read_options(kind.config, component.options(), pointer)


def read_options(model: type[ModelT], options: Mapping[str, JsonValue], pointer: str) -> ModelT:
    """Read JSON options as `model`. Raises Invalid with pointers below `pointer`."""
    try:
        return model.model_validate_json(json.dumps(options))
    except ValidationError as error:
        raise to_invalid(error, options, prefix=pointer, model=model) from None


def task_options(task: TaskKind[Any], spec: JobSpec) -> TaskOptions:
    """Read the task's options of a resolved spec."""
    return read_options(task.options, spec.dataset.options, "/dataset")


def build_on_meta(installed: Installed, architecture: Component, shape: Shape) -> nn.Module:
    """Build without memory and without drawing random numbers: to count and to measure."""
    config = read_config(installed.architectures, architecture, "/architecture")
    with undrawn():
        return installed.architectures[architecture.type].build(config, shape)


def builder(installed: Installed, architecture: Component) -> Builder:
    """Find what builds an architecture. Raises Invalid for wrong types and options."""
    config = read_config(installed.architectures, architecture, "/architecture")
    whole = Component.model_validate(config.model_dump(mode="json"))
    build = installed.architectures[architecture.type].build
    return Builder(build, whole, Component.of(config))


def sized(
    installed: Installed, architecture: Component, shape: Shape, task: str, *, max_parameters: int
) -> nn.Module:
    """Build without memory what somebody else described. Raises Invalid for what does not fit."""
    if task not in installed.tasks:
        names = known_names(installed.tasks, near=task)
        raise invalid_field("/task", f"is no installed task; {names}")
    _choose_architecture(installed, architecture, shape)
    _check_parameters(installed, architecture, shape, max_parameters)
    return build_on_meta(installed, architecture, shape)


def context_of(installed: Installed, component: Component) -> int | None:
    """Tell how many tokens an architecture sees at once; None: it is not bounded."""
    config = read_config(installed.architectures, component, "/architecture")
    context = installed.architectures[component.type].context
    return None if context is None else context(config)


def parameter_count(model: nn.Module) -> int:
    """Count the trained numbers."""
    return sum(parameter.numel() for parameter in model.parameters())


def _choose_task(installed: Installed, request: JobRequest, facts: DatasetFacts) -> TaskKind[Any]:
    data = facts.facts.type
    fitting = {name: task for name, task in installed.tasks.items() if data in task.data}
    asked = request.dataset.task
    if asked is None:
        if not fitting:
            raise invalid_field("/dataset", f"is of type {data}, for which no task is installed")
        options = _given(request)
        suiting = [task for task in fitting.values() if task.suits(facts.facts, options)]
        return next(iter([*suiting, *fitting.values()]))
    if asked not in installed.tasks:
        names = known_names(installed.tasks, near=asked)
        raise invalid_field("/dataset/task", f"is no installed task; {names}")
    if asked not in fitting:
        names = ", ".join(fitting) or "none"
        raise invalid_field(
            "/dataset/task", f"does not fit data of type {data}; what fits: {names}"
        )
    return fitting[asked]


def _given(request: JobRequest) -> dict[str, JsonValue]:
    return request.dataset.model_dump(
        mode="json", exclude={"name", "task"}, exclude_unset=True, exclude_none=True
    )


def _task_options(installed: Installed, task: TaskKind[Any], request: JobRequest) -> TaskOptions:
    given = _given(request)
    found: dict[str, str] = {}
    for name in given:
        if name in task.options.model_fields:
            continue
        others = [
            kind.name for kind in installed.tasks.values() if name in kind.options.model_fields
        ]
        owner = f"belongs to {', '.join(others)} and " if others else ""
        names = known_names(task.options.model_fields, near=name)
        found[f"/dataset/{name}"] = f"{owner}is no option of {task.name}; {names}"
    if found:
        raise invalid_fields(found)
    return read_options(task.options, given, "/dataset")


def _choose_architecture(
    installed: Installed, component: Component, shape: Shape
) -> Architecture[Any]:
    read_config(installed.architectures, component, "/architecture")
    architecture = installed.architectures[component.type]
    if shape.kind not in architecture.fits:
        fitting = [
            name for name, kind in installed.architectures.items() if shape.kind in kind.fits
        ]
        raise invalid_field(
            "/architecture",
            f"is for {' and '.join(architecture.fits)}, but the dataset holds {shape.kind}; "
            f"what fits: {', '.join(fitting) or 'nothing installed'}",
        )
    return architecture


def _filled(kinds: Mapping[str, _HasConfig], component: Component, pointer: str) -> Component:
    return Component.of(read_config(kinds, component, pointer))


def _optimizer(installed: Installed, asked: Component | None, recipe: Recipe) -> Component:
    """Give an optimizer the learning rates that suit the architecture, where none were given."""
    given = asked or recipe.optimizer
    config = read_config(installed.optimizers, given, "/optimizer")
    own = recipe.optimizer if given.type == recipe.optimizer.type else None
    other = recipe.optimizer  # AdamW's lr suits the part that Muon leaves to AdamW, too
    rates = {"lr": recipe.rates.get(given.type), f"{other.type}_lr": other.options().get("lr")}
    if own is not None:
        rates |= {name: value for name, value in own.options().items() if _is_rate(name)}
    suiting = {
        name: rate
        for name, rate in rates.items()
        if rate is not None and name in type(config).model_fields
    }
    filled = {**suiting, **given.model_dump(mode="json", include=given.model_fields_set)}
    component = Component.model_validate({**filled, "type": given.type})
    return _filled(installed.optimizers, component, "/optimizer")


def _is_rate(option: str) -> bool:
    return option == "lr" or option.endswith("_lr")


def _schedule(installed: Installed, component: Component, task: TaskKind[Any]) -> Component:
    config = read_config(installed.schedules, component, "/schedule")
    watch = installed.schedules[component.type].watch
    if watch is not None:
        _check_metric(watch(config).metric, task, "/schedule/metric")
    return Component.of(config)


def _check_metric(metric: str, task: TaskKind[Any], pointer: str) -> None:
    if metric not in task.metrics:
        names = known_names(task.metrics, near=metric)
        raise invalid_field(pointer, f"is no metric of {task.name}; {names}")


def _training(options: TrainingOptions, recipe: Recipe, task: TaskKind[Any]) -> TrainingSpec:
    stopping = options.early_stopping
    if stopping is not None:
        _check_metric(stopping.metric, task, "/training/early_stopping/metric")
    if options.label_smoothing and not task.smooths:
        detail = f"is for tasks that choose among classes or words, and {task.name} does not: leave"
        raise invalid_field("/training/label_smoothing", f"{detail} it at 0")
    epochs = options.epochs
    if epochs is None and options.max_steps is None:
        epochs = recipe.epochs
    clip = options.gradient_clip
    if "gradient_clip" not in options.model_fields_set:  # an explicit null means: not clipped
        clip = recipe.gradient_clip
    return TrainingSpec(
        epochs=epochs,
        max_steps=options.max_steps,
        batch_size=options.batch_size or recipe.batch_size,
        seed=options.seed,
        device=options.device,
        precision=options.precision or recipe.precision,
        gradient_clip=clip,
        early_stopping=stopping,
        checkpoint=CheckpointSpec.model_validate(options.checkpoint.model_dump()),
        max_seconds=options.max_seconds,
        best_metric=task.best_metric,
        exact=options.exact,
        label_smoothing=options.label_smoothing,
        ema=options.ema,
    )


def _check_parameters(
    installed: Installed, architecture: Component, shape: Shape, max_parameters: int
) -> None:
    try:
        parameters = parameter_count(build_on_meta(installed, architecture, shape))
    except Problem:
        raise
    except (RuntimeError, OverflowError):  # torch: a tensor with more elements than 64 bits count
        parameters = None
    if parameters is None or parameters > max_parameters:
        found = "more than can be counted" if parameters is None else f"{parameters:,}"
        raise invalid_field(
            "/architecture",
            f"makes a model of {found} parameters; the limit here is {max_parameters:,}: "
            "choose smaller sizes",
        )
