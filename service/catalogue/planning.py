"""What a job would cost: counted where it can be counted on shapes alone, guessed where not."""

import math

from torch import nn

from service.catalogue import costs
from service.catalogue.discovery import Installed
from service.catalogue.range_tests import lay_out
from service.catalogue.resolving import (
    build_on_meta,
    context_of,
    parameter_count,
    read_config,
    task_options,
)
from service.domain.datasets import DatasetFacts
from service.domain.jobs import JobSpec, Plan
from service.domain.problems import invalid_field
from service.domain.validation import invalid_fields
from service.optimizers.base import OptimizerConfig
from service.optimizers.ranges import RangeTest

_FLOPS_PER_SECOND = 2e11  # two cores in float32, as convolutions and products really reach
_SECONDS_PER_OPERATION = 6e-6  # what PyTorch spends on a call, however small
_BACKWARD = 3  # forward and backward together take about three times the forward
_DOUBT = 4  # a plan counts up to three times the memory that a step really takes (measured)


def plan(installed: Installed, spec: JobSpec, facts: DatasetFacts) -> Plan:
    """Say what a resolved job would do, without its data."""
    task = installed.tasks[spec.task]
    options = task_options(task, spec)
    shape = task.shape(facts.facts, options)
    model = build_on_meta(installed, spec.architecture, shape)
    batch_size = spec.training.batch_size
    batches = task.steps_per_epoch(facts.facts, options, batch_size)
    full_batch = installed.optimizers[spec.optimizer.type].full_batch
    steps_per_epoch = 1 if full_batch else batches
    steps = spec.training.max_steps or (spec.training.epochs or 1) * steps_per_epoch
    length = costs.sequence_length(facts.facts, spec, context_of(installed, spec.architecture))
    cost = costs.measure(model, shape, batch_size, length)
    model_bytes = _bytes_of(model)
    trained_bytes = 4 * parameter_count(model)
    state_bytes = _state_bytes(installed, spec, model)
    per_batch = _BACKWARD * (
        cost.flops / _FLOPS_PER_SECOND + cost.operations * _SECONDS_PER_OPERATION
    )
    test = lay_out(installed, spec, batches_per_epoch=batches)
    tested = 0 if test is None else test.steps * test.batches
    run_batches = steps * (batches if full_batch else 1) + tested
    epochs = math.ceil(steps / steps_per_epoch)
    return Plan(
        spec=spec,
        parameters=parameter_count(model),
        steps_per_epoch=steps_per_epoch,
        steps=steps,
        memory_bytes=model_bytes
        + trained_bytes
        + state_bytes
        + 2 * cost.activation_bytes
        + sum(file.bytes for file in facts.files)
        + task.data_bytes(facts.facts, options),
        checkpoint_bytes=model_bytes + state_bytes,
        # Validation goes forward over what is held out: a twentieth is a fair guess.
        estimated_seconds=round(run_batches * per_batch * 1.05 + 0.02 * epochs, 2),
        warnings=_warnings(installed, spec, batches=batches, epochs=epochs)
        + ([] if test is None else [_about(test, tested * per_batch)]),
    )


def refuse_what_cannot_fit(
    installed: Installed, spec: JobSpec, facts: DatasetFacts, *, max_bytes: int
) -> None:
    """Refuse examples, and a context whose batches take more memory than a job may, beyond doubt.

    Raises Invalid. What is in doubt is accepted; a job that finds too little fails and says so.
    """
    task = installed.tasks[spec.task]
    examples = task.data_bytes(facts.facts, task_options(task, spec))
    if examples > max_bytes:
        detail = f"makes examples of {examples / 1e9:,.1f} GB, and a job here may take "
        detail += f"{max_bytes / 1e9:,.1f}: choose smaller ones"
        raise invalid_field("/dataset", detail)
    context = context_of(installed, spec.architecture)
    if context is None:
        return
    needed = plan(installed, spec, facts).memory_bytes
    if needed > _DOUBT * max_bytes:
        batch = f"about {needed / 1e9:,.0f} GB, and a job here may take {max_bytes / 1e9:,.0f}"
        raise invalid_fields(
            {
                "/architecture/context": f"makes batches of windows that take {batch}: choose a "
                "smaller one, or a smaller sequence_length",
                "/training/batch_size": "makes so many windows at once: choose a smaller one",
            }
        )


def _state_bytes(installed: Installed, spec: JobSpec, model: nn.Module) -> int:
    """Count what a checkpoint holds beside the weights that are served.

    That is what the optimizer keeps for each weight, and the weights themselves if their average
    is served.
    """
    config = read_config(installed.optimizers, spec.optimizer, "/optimizer")
    slots = config.slots() if isinstance(config, OptimizerConfig) else 0
    averaged = 0 if spec.training.ema is None else _bytes_of(model)
    return 4 * parameter_count(model) * slots + averaged


def _bytes_of(model: nn.Module) -> int:
    return sum(value.numel() * value.element_size() for value in model.state_dict().values())


def _about(test: RangeTest, seconds: float) -> str:
    batches = f" on {test.batches} batches each" if test.batches > 1 else ""
    return (
        f"a range test of {test.steps} steps{batches} comes first, about "
        f"{max(0.1, seconds):.1f} s, and picks lr"
    )


def _warnings(installed: Installed, spec: JobSpec, *, batches: int, epochs: int) -> list[str]:
    full_batch = installed.optimizers[spec.optimizer.type].full_batch
    goes_by_length = installed.schedules[spec.schedule.type].watch is None
    warnings: list[str] = []
    if full_batch:
        warnings.append(
            f"{spec.optimizer.type} takes one step an epoch, so this is {epochs} steps in all; "
            "sgd takes one a batch"
        )
    if not full_batch and batches == 1:
        warnings.append("one batch holds all training data; a smaller batch_size gives more steps")
    stopping = spec.training.early_stopping is not None
    if stopping and goes_by_length and spec.schedule.type != "constant":
        warnings.append(
            f"the {spec.schedule.type} schedule is laid out over the whole length; "
            "early stopping may end it before lr has come down"
        )
    if spec.training.max_seconds is not None:
        warnings.append("how far max_seconds gets depends on the machine: such runs differ")
    return warnings
