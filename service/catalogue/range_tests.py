"""The range test of a job with `lr: "auto"`: laid out alike for its plan and for its training."""

from typing import Any

from service.catalogue.discovery import Installed
from service.catalogue.resolving import read_config, task_options
from service.domain.datasets import DatasetFacts
from service.domain.jobs import JobSpec
from service.domain.problems import invalid_field
from service.optimizers.ranges import RangeTest, range_test, what_is_missing


def lay_out(installed: Installed, spec: JobSpec, *, batches_per_epoch: int) -> RangeTest | None:
    """Lay out the test; None where lr is a number."""
    full_batch = installed.optimizers[spec.optimizer.type].full_batch
    config: Any = read_config(installed.optimizers, spec.optimizer, "/optimizer")
    return range_test(
        config,
        full_batch=full_batch,
        batches_per_epoch=batches_per_epoch,
        batches=_batches(spec, batches_per_epoch, full_batch=full_batch),
    )


def refuse_too_little(installed: Installed, spec: JobSpec, facts: DatasetFacts) -> None:
    """Raise Invalid for a range test that data or training are too short for."""
    task = installed.tasks[spec.task]
    options = task_options(task, spec)
    batches = task.steps_per_epoch(facts.facts, options, spec.training.batch_size)
    test = lay_out(installed, spec, batches_per_epoch=batches)
    if test is None:
        return
    full_batch = installed.optimizers[spec.optimizer.type].full_batch
    missing = what_is_missing(
        test,
        batches_per_epoch=batches,
        batches=_batches(spec, batches, full_batch=full_batch),
    )
    if missing is not None:
        raise invalid_field("/optimizer/lr", missing)


def _batches(spec: JobSpec, batches_per_epoch: int, *, full_batch: bool) -> int:
    """Count the batches of the whole training."""
    if spec.training.max_steps is None:
        return (spec.training.epochs or 1) * batches_per_epoch
    return spec.training.max_steps * (batches_per_epoch if full_batch else 1)
