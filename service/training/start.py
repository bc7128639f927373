"""The beginning of a run, or of its going on: what can be as it was before is, the rest is said."""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

from collections.abc import Collection
from typing import NamedTuple

import torch
from pydantic import JsonValue

from service.catalogue import Trainable
from service.domain.beginnings import Part
from service.domain.environments import Difference, Environment, as_json, differences, in_words
from service.domain.jobs import JobSpec
from service.domain.ports import Recorder
from service.training import device as devices
from service.training.average import Average
from service.training.precision import choose_precision
from service.training.range_test import Picked, pick
from service.training.state import (
    Cursor,
    TrainingState,
    place_optimizer,
    read_header,
    restore,
    restore_kept,
)
from service.training.validation import stream_seed


class Saved(NamedTuple):
    """A checkpoint to go on from: its id and its two files.

    Of one that a fork was given, `keeps` says what of the state still fits; the weights that do are
    in the model already.
    """

    checkpoint: str
    weights: bytes
    state: bytes
    keeps: Collection[Part] | None = None

    def environment(self) -> Environment:
        """Return where it was computed."""
        return read_header(self.state)["environment"]


def environment_before(resume: Saved | None, earlier: Environment | None) -> Environment | None:
    """Return where the run was computed so far.

    That is in its own checkpoint; of an attempt that left none, what it chose goes before what a
    fork was given.
    """
    if resume is None or (resume.keeps is not None and earlier is not None):
        return earlier
    return resume.environment()


class NotExact(Exception):  # noqa: N818
    """The job must go on exactly, and this machine cannot; nothing was computed or written."""

    def __init__(self, environment: Environment, differs: str) -> None:
        super().__init__(differs)
        self.environment = environment


def begin(
    trainable: Trainable,
    spec: JobSpec,
    recorder: Recorder,
    *,
    device: torch.device,
    resume: Saved | None = None,
    earlier: Environment | None = None,
) -> TrainingState:
    """Make the state before the first step, or the one that a checkpoint holds, and report it.

    `earlier` is where an attempt computed that left no checkpoint. Raises NotExact where the spec
    requires exactness, PrecisionNotAvailable, and Ordered where an order ended a range test.
    """
    before = environment_before(resume, earlier)
    given = None if resume is None else resume.environment()
    goes_on = resume is not None and (resume.keeps is None or "position" in resume.keeps)
    devices.make_deterministic(device)
    memory_format = devices.choose_memory_format(trainable.model, device, before=before)
    devices.place(trainable.model, device, memory_format)
    precision = choose_precision(trainable, spec, device, before=before)
    environment = devices.environment(device, precision, memory_format)
    differs = differences(given, environment) if given and goes_on else []
    if given is not None and differs and spec.training.exact == "required":
        raise NotExact(given, in_words(differs))
    place_optimizer(trainable.optimizer)
    ema = spec.training.ema
    state = TrainingState(
        model=trainable.model.train(),
        optimizer=trainable.optimizer,
        schedule=trainable.schedule,
        device=device,
        environment=environment,
        precision=precision,
        cursor=Cursor(),
        average=None if ema is None else Average(trainable.model, ema.decay),
    )
    torch.manual_seed(stream_seed(spec.training.seed, "training"))
    _go_on(state, resume, spec, recorder)
    picked = _pick_lr(state, trainable, spec, recorder, resume)
    _report(state, trainable, recorder, resume=resume, differs=differs, picked=picked)
    return state


def _report(
    state: TrainingState,
    trainable: Trainable,
    recorder: Recorder,
    *,
    resume: Saved | None,
    differs: list[Difference],
    picked: Picked | None,
) -> None:
    info = devices.run_info(state.device, state.precision, state.model, state.environment)
    lr = float(state.schedule.base_lrs[0])
    info = info.model_copy(update={"baseline": trainable.baseline, "lr": lr})
    started: dict[str, JsonValue] = {
        "run": info.model_dump(mode="json"),
        "checkpoint": None if resume is None else resume.checkpoint,
        "step": state.cursor.step,
        "exact": not differs,
        "differs": as_json(differs),
    }
    recorder.event("started", started)
    if picked is not None:
        recorder.event("range_test", picked.data())
    if differs:
        message = f"The run goes on, but not with the same bits: {in_words(differs)}."
        warning: dict[str, JsonValue] = {
            "code": "resume_not_exact",
            "message": message,
            "differs": as_json(differs),
        }
        recorder.event("warning", warning)
    recorder.started(info, trainable.task.preparation())


def _pick_lr(
    state: TrainingState,
    trainable: Trainable,
    spec: JobSpec,
    recorder: Recorder,
    resume: Saved | None,
) -> Picked | None:
    """Let a range test pick lr, if it shall; a checkpoint of the run's own has it already."""
    test = trainable.range_test
    if test is None or (resume is not None and resume.keeps is None):
        return None
    return pick(test, trainable, state, spec, recorder)


def _go_on(state: TrainingState, resume: Saved | None, spec: JobSpec, recorder: Recorder) -> None:
    if resume is None:
        return
    if resume.keeps is None:
        restore(state, resume.weights, resume.state)
        return
    restore_kept(state, resume.state, resume.keeps)
    stopping, waited = spec.training.early_stopping, state.cursor.epochs_without_improvement
    if stopping is not None and waited >= stopping.patience:
        # Who forks a job that was stopped wants it to go on: it would end before its first step.
        state.cursor.epochs_without_improvement = 0
        message = f"After {waited} epochs without improvement, early stopping counts from 0 again."
        recorder.event("warning", {"code": "patience_renewed", "message": message})
