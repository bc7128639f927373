"""Building the parts of a training from a resolved spec and its data."""

from typing import Any, NamedTuple

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from service.catalogue.discovery import Installed
from service.catalogue.range_tests import lay_out
from service.catalogue.resolving import build_on_meta, read_config, task_options
from service.datasets.base import Data
from service.domain.components import Component
from service.domain.jobs import Baseline, JobSpec
from service.domain.shapes import Shape
from service.optimizers.base import parameter_groups
from service.optimizers.plateau import PlateauLR
from service.optimizers.ranges import RangeTest
from service.tasks.base import Examples, Prepared, Task


class Trainable(NamedTuple):
    """Everything the training loop works on, on the CPU and before the first step.

    With a `range_test` the optimizer has its default lr until the test has picked one.
    """

    task: Task
    train: Examples
    validation: Examples
    baseline: Baseline
    model: nn.Module
    optimizer: Optimizer
    schedule: LambdaLR
    full_batch: bool
    steps_per_epoch: int
    steps: int
    epochs: int
    range_test: RangeTest | None


def build(installed: Installed, spec: JobSpec, data: Data) -> Trainable:
    """Prepare the data and build model, optimizer and schedule; the seed fixes the weights."""
    prepared = prepare(installed, spec, data)
    model = seeded_model(installed, spec.architecture, prepared.task.shape, spec.training.seed)
    full_batch = installed.optimizers[spec.optimizer.type].full_batch
    batches = prepared.train.steps_per_epoch(spec.training.batch_size)
    steps_per_epoch = 1 if full_batch else batches
    steps = spec.training.max_steps or (spec.training.epochs or 1) * steps_per_epoch
    test = lay_out(installed, spec, batches_per_epoch=batches)
    optimizer = _optimizer(installed, spec, model, prepared.task.shape, test)
    return Trainable(
        task=prepared.task,
        train=prepared.train,
        validation=prepared.validation,
        baseline=prepared.baseline,
        model=model,
        optimizer=optimizer,
        schedule=_schedule(installed, spec.schedule, optimizer, steps),
        full_batch=full_batch,
        steps_per_epoch=steps_per_epoch,
        steps=steps,
        epochs=-(-steps // steps_per_epoch),
        range_test=test,
    )


def prepare(installed: Installed, spec: JobSpec, data: Data) -> Prepared:
    """Prepare the data as `build` does, without a model."""
    task_kind = installed.tasks[spec.task]
    return task_kind.prepare(data, task_options(task_kind, spec))


def hidden_parameters(installed: Installed, architecture: Component, shape: Shape) -> set[str]:
    """Name the parameters none of whose sizes follows from the data: those of hidden layers.

    Which ones needs no rule per architecture: for larger data all others grow.
    """
    sizes = shape.model_dump(exclude={"kind"})
    grown = shape.model_copy(update={name: _more(size) for name, size in sizes.items()})
    here, there = (
        {name: parameter.shape for name, parameter in model.named_parameters()}
        for model in (build_on_meta(installed, architecture, each) for each in (shape, grown))
    )
    return {name for name, sizes in here.items() if there.get(name) == sizes}


def _more(size: int | tuple[int, ...]) -> int | tuple[int, ...]:
    return 2 * size + 1 if isinstance(size, int) else tuple(2 * each + 1 for each in size)


def build_model(installed: Installed, architecture: Component, shape: Shape) -> nn.Module:
    """Build a model; its weights are drawn from the global generator."""
    config = read_config(installed.architectures, architecture, "/architecture")
    return installed.architectures[architecture.type].build(config, shape)


def seeded_model(
    installed: Installed, architecture: Component, shape: Shape, seed: int
) -> nn.Module:
    """Build a model whose weights are a function of the seed; the global generator is untouched."""
    # devices=[]: weights are drawn on the CPU, wherever they train later.
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        torch.default_generator.manual_seed(seed)
        return build_model(installed, architecture, shape)


def _optimizer(
    installed: Installed, spec: JobSpec, model: nn.Module, shape: Shape, test: RangeTest | None
) -> Optimizer:
    kind = installed.optimizers[spec.optimizer.type]
    config = read_config(installed.optimizers, spec.optimizer, "/optimizer")
    if test is not None:
        config = config.model_copy(update={"lr": test.default})
    hidden = hidden_parameters(installed, spec.architecture, shape) if kind.hidden_apart else None
    weight_decay = float(getattr(config, "weight_decay", 0.0))
    return kind.build(config, parameter_groups(model, weight_decay=weight_decay, hidden=hidden))


def _schedule(
    installed: Installed, component: Component, optimizer: Optimizer, steps: int
) -> LambdaLR:
    kind: Any = installed.schedules[component.type]
    config = read_config(installed.schedules, component, "/schedule")

    def factor(step: int) -> float:
        return kind.factor(config, step, steps)

    if kind.watch is None:
        return LambdaLR(optimizer, factor)
    return PlateauLR(optimizer, factor, kind.watch(config))
