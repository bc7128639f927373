"""The training loop, on one page: step, report, validate, checkpoint, until the end or an order.

What a run computes is fixed by its spec: time changes only `time/…`, progress and `max_seconds`.
Killed anywhere and resumed from its newest checkpoint, it ends with the same bits.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from torch.optim.lr_scheduler import LambdaLR

from service.catalogue import Trainable
from service.domain.environments import Environment
from service.domain.findings import Found, TrainingFinding
from service.domain.jobs import CheckpointKind, JobSpec
from service.domain.ports import CheckpointDraft, Recorder
from service.optimizers.plateau import PlateauLR
from service.tasks.base import Batch
from service.training.diagnosis import Doctor
from service.training.failures import LossNotFinite
from service.training.range_test import Ordered
from service.training.reports import Length, Reports
from service.training.start import Saved, begin
from service.training.state import Cursor, TrainingState, capture
from service.training.step import StepResult, train_step
from service.training.validation import (
    evaluate,
    finite_or_none,
    is_better,
    on_device,
)


class Outcome(NamedTuple):
    """How a run ended: by itself (with a reason if before its last step), or by an order."""

    how: Literal["finished", "cancel", "pause", "drain"]
    reason: Literal["early_stopping", "max_seconds"] | None = None


class _Cancelled(Exception):  # noqa: N818  control flow: leaves a step that spans many batches
    pass


class _Run(NamedTuple):
    """What stays the same from step to step."""

    trainable: Trainable
    spec: JobSpec
    recorder: Recorder
    state: TrainingState
    reports: Reports
    doctor: Doctor
    batches_per_epoch: int


def train(
    trainable: Trainable,
    spec: JobSpec,
    recorder: Recorder,
    *,
    device: torch.device,
    resume: Saved | None = None,
    earlier: Environment | None = None,
    found: Iterable[Found] = (),
    clock: Callable[[], float] = time.monotonic,
    spent_seconds: float = 0.0,
) -> Outcome:
    """Train until the spec's end, an early stop or an order; report everything to `recorder`.

    `resume` is the checkpoint to go on from, `earlier` where an attempt computed that left none,
    `found` what the doctor said in earlier ones, `spent_seconds` what they took, for `max_seconds`.
    Raises NotExact before it begins, PrecisionNotAvailable, and LossNotFinite; the last good
    checkpoint stays usable.
    """
    try:
        state = begin(trainable, spec, recorder, device=device, resume=resume, earlier=earlier)
    except Ordered as order:  # there is nothing yet that a checkpoint would keep
        return Outcome(order.command)
    batches = trainable.train.steps_per_epoch(spec.training.batch_size)
    length = Length(batches, trainable.steps, spec.training.epochs)
    reports = Reports(recorder, state.cursor, length, clock=clock)
    run = _Run(trainable, spec, recorder, state, reports, Doctor(trainable, spec, found), batches)
    time_left = math.inf if spec.training.max_seconds is None else spec.training.max_seconds
    time_left -= spent_seconds

    while state.cursor.step < trainable.steps:
        if _out_of_patience(state.cursor, spec):
            return Outcome("finished", "early_stopping")
        command = recorder.command()
        if command is not None:
            if command != "cancel":
                kind: CheckpointKind = "pause" if command == "pause" else "latest"
                _checkpoint(run, [kind], reports.mean_loss(), scheduled=False)
            return Outcome(command)
        try:
            result = _step(run)
        except _Cancelled:
            return Outcome("cancel")
        out_of_time = reports.elapsed_seconds() >= time_left
        ends = out_of_time or state.cursor.step == trainable.steps
        reports.step(result, last=ends)
        _look_and_keep(run, ends=ends)
        if out_of_time:
            return Outcome("finished", "max_seconds")
    return Outcome("finished")


def _step(run: _Run) -> StepResult:
    """Take one step and move the cursor on; the hidden state is not carried over an epoch's end."""
    try:
        result = train_step(
            run.state,
            _batches(run),
            run.trainable.task,
            gradient_clip=run.spec.training.gradient_clip,
            label_smoothing=run.spec.training.label_smoothing,
            accumulate=run.trainable.full_batch,
        )
    except LossNotFinite as failure:
        failure.findings = run.doctor.diverged(run.state, failure)
        run.reports.failed(failure)
        raise
    run.state.cursor.advance(result.batches, run.batches_per_epoch)
    run.state.chart.note_step(result.loss, result.weight, result.lr)
    if run.state.cursor.position == 0:
        run.state.carry = None
    return result


def _batches(run: _Run) -> Iterator[Batch]:
    """Give the batch of this step; for a full-batch optimizer all batches of the epoch.

    A step over many batches can only be cancelled in between: half a sum is no state to keep.
    """
    cursor, options = run.state.cursor, run.spec.training
    first = cursor.position
    last = run.batches_per_epoch if run.trainable.full_batch else first + 1
    for position in range(first, last):
        if position > first and run.recorder.command() == "cancel":
            raise _Cancelled
        batch = run.trainable.train.batch(
            epoch=cursor.whole_epochs,
            position=position,
            batch_size=options.batch_size,
            seed=options.seed,
        )
        yield on_device(batch, run.state.device)


def _look_and_keep(run: _Run, *, ends: bool) -> None:
    """Validate at the end of an epoch and of the run; write the checkpoints that are due."""
    cursor, options = run.state.cursor, run.spec.training
    every = options.checkpoint.every_steps
    kinds: set[CheckpointKind] = set()
    findings: list[TrainingFinding] = []
    metrics = run.reports.mean_loss()
    if every is not None and cursor.step % every == 0:
        kinds |= {"latest", "periodic"}
    if cursor.position == 0 or ends:
        with run.doctor.watching(run.state, ends=ends):
            metrics = evaluate(
                run.state.served,
                run.trainable.task,
                run.trainable.validation,
                batch_size=options.batch_size,
                seed=options.seed,
            )
        run.reports.values(metrics)
        if cursor.position == 0:
            _tell_schedule(run.state.schedule, metrics)
        kinds |= {"latest", "best"} if _improves(cursor, run.spec, metrics) else {"latest"}
        last = ends or _out_of_patience(cursor, run.spec)
        findings = run.doctor.examine(run.state, metrics, last=last)
    if kinds:
        _checkpoint(run, sorted(kinds), metrics, findings)


def _improves(cursor: Cursor, spec: JobSpec, metrics: dict[str, float]) -> bool:
    """Remember what is best so far; tell whether this is the best model."""
    best_metric, stopping = spec.training.best_metric, spec.training.early_stopping
    if stopping is not None:
        value = metrics[stopping.metric]
        if is_better(stopping.metric, value, cursor.stopping_best):
            cursor.stopping_best = finite_or_none(value)
            cursor.epochs_without_improvement = 0
        else:
            cursor.epochs_without_improvement += 1
    if not is_better(best_metric, metrics[best_metric], cursor.best):
        return False
    cursor.best = finite_or_none(metrics[best_metric])
    return True


def _tell_schedule(schedule: LambdaLR, metrics: dict[str, float]) -> None:
    """Show a schedule that goes by a metric what the epoch brought."""
    if not isinstance(schedule, PlateauLR):
        return
    value = metrics[schedule.watch.metric]
    if is_better(schedule.watch.metric, value, schedule.best):
        schedule.improved(finite_or_none(value))
    else:
        schedule.did_not_improve()


def _out_of_patience(cursor: Cursor, spec: JobSpec) -> bool:
    stopping = spec.training.early_stopping
    return stopping is not None and cursor.epochs_without_improvement >= stopping.patience


def _checkpoint(
    run: _Run,
    kinds: Sequence[CheckpointKind],
    metrics: dict[str, float],
    findings: Sequence[TrainingFinding] = (),
    *,
    scheduled: bool = True,
) -> None:
    """Write a checkpoint; one that is not `scheduled` comes of an order, anywhere in an epoch."""
    weights, content = capture(run.state)
    run.reports.progress()
    cursor = run.state.cursor
    run.reports.findings(findings)  # what was found is in the checkpoint, and told with it
    if scheduled and cursor.position == 0:
        run.reports.epoch(metrics)  # nothing lies between it and its checkpoint
    run.recorder.checkpoint(
        CheckpointDraft(kinds, cursor.step, cursor.epoch, metrics, weights, content, scheduled)
    )
