"""The doctor: looks at a run while it trains, and reports each illness once, as a finding.

What it knows of earlier epochs is the chart in the training state, and what it said are events that
are written with the checkpoint: a run that was killed and resumed reports what it would have
reported if it had been left alone. Layers are looked at after
epochs 1, 2, 4, 8, … and the last, while the model validates anyway; training does not notice.
"""

import math
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import JsonValue
from torch import nn

from service.catalogue import Trainable
from service.domain.findings import FindingCode, Found, TrainingFinding
from service.domain.jobs import JobSpec
from service.training import layer_symptoms, observing, symptoms, treatments
from service.training.constant import ConstantAnswer
from service.training.course import Course, Symptom
from service.training.failures import LossNotFinite
from service.training.layer_symptoms import Activity, Gradient
from service.training.observing import Guesses, Watcher
from service.training.state import TrainingState
from service.training.validation import is_better

PLAIN_DESCENT = {"gd", "sgd"}
LEARNED = 0.5
"""Of the loss of the best constant answer: below it, gradients did arrive and may be small."""
MOST_AT_ONCE = 4
"""So many layers with the same illness are named at once, at most."""


class Doctor:
    """Looks at one run. `watching` a validation comes before `examine`, at the end of an epoch."""

    def __init__(self, trainable: Trainable, spec: JobSpec, found: Iterable[Found] = ()) -> None:
        self._trainable, self._spec = trainable, spec
        self._found = set(found)
        self._constant = ConstantAnswer(trainable, spec.training.batch_size)
        self._watched: list[tuple[nn.Module, Watcher]] = []
        self._guesses: Guesses | None = None

    @contextmanager
    def watching(self, state: TrainingState, *, ends: bool) -> Generator[None]:
        """Look at what the model does while this is entered, if it is time."""
        due, served = _is_due(state.chart.epochs + 1) or ends, state.served
        self._watched = observing.watchers(served) if due else []
        maybe_last = ends or self._spec.training.early_stopping is not None
        classes = len(self._constant.labels)
        self._guesses = Guesses(classes) if classes and maybe_last else None
        hooks: list[tuple[nn.Module, Any]] = [*self._watched]
        if self._guesses is not None:
            hooks.append((served, self._guesses))
        with observing.hooked(hooks):
            yield

    def examine(
        self, state: TrainingState, metrics: Mapping[str, float], *, last: bool
    ) -> list[TrainingFinding]:
        """Note the end of an epoch in the chart; return what is new."""
        val_loss = metrics["val_loss"]
        if not math.isfinite(val_loss):
            return []
        chart = state.chart
        chart.note_epoch(val_loss)
        due = _is_due(chart.epochs) or last
        course = self._course(state, metrics, last=last, look=due)
        activities = observing.activities(self._watched)
        gradients = observing.gradients(state.model) if due else []
        found = self._symptoms(course, activities, gradients)
        return [self._finding(state, each) for each in found if self._is_new(each)]

    def diverged(self, state: TrainingState, failure: LossNotFinite) -> list[TrainingFinding]:
        """Say what a loss that is not finite comes of; without a checkpoint there is no fork."""
        seen = failure.error.message.removesuffix(".")
        evidence: dict[str, JsonValue] = {"step": failure.step, "lr": failure.lr}
        symptom = Symptom("lr_too_large", seen, evidence)
        if not self._is_new(symptom):
            return []
        finding = self._finding(state, symptom)
        return [finding if state.chart.epochs else finding.model_copy(update={"patch": None})]

    def _symptoms(
        self,
        course: Course,
        activities: Sequence[Activity],
        gradients: Sequence[Gradient],
    ) -> Iterator[Symptom]:
        """Give causes before what comes of them, and not what comes of a cause that is known."""
        if self._has_said("lr_too_large"):
            return
        if too_large := symptoms.lr_too_large(course):
            yield too_large
            return
        for symptom in (layer_symptoms.dead_relus, layer_symptoms.saturated):
            ill = [found for each in activities if (found := symptom(each))]
            yield from ill[:MOST_AT_ONCE]
        known = self._has_said(
            "dead_relus", "saturated", "vanishing_gradients", "exploding_gradients"
        )
        if len(gradients) > 1 and not known and not course.is_better_than(LEARNED):
            for look in (layer_symptoms.vanishing_gradients, layer_symptoms.exploding_gradients):
                yield from filter(None, (look(gradients),))
        yield from filter(None, (symptoms.overfitting(course),))
        if self._has_said("lr_too_small"):
            return
        if too_small := symptoms.lr_too_small(course):
            yield too_small
            return
        if stuck := symptoms.stuck_at_baseline(course):
            yield stuck
        elif course.last and not self._has_said("stuck_at_baseline"):
            if improving := symptoms.still_improving(course):
                yield improving
            elif course.is_better_than(symptoms.NEAR_BASELINE):
                yield from filter(None, (self._never_predicted(),))

    def _is_new(self, symptom: Symptom) -> bool:
        """Tell whether something was never said of this job; it is from now on."""
        name = Found(symptom.code, symptom.layer)
        new = name not in self._found
        self._found.add(name)
        return new

    def _has_said(self, *codes: FindingCode) -> bool:
        return any(each.code in codes for each in self._found)

    def _never_predicted(self) -> Symptom | None:
        if self._guesses is None:
            return None
        labels, examples = self._constant.labels, self._constant.examples()
        return symptoms.class_never_predicted(labels, examples, self._guesses.counts())

    def _course(
        self, state: TrainingState, metrics: Mapping[str, float], *, last: bool, look: bool
    ) -> Course:
        chart, options = state.chart, self._spec.optimizer.options()
        base_lr = float(state.schedule.base_lrs[0])
        momentum = options.get("momentum")
        plain = self._spec.optimizer.type in PLAIN_DESCENT
        update = (
            observing.update_ratio(
                state.model,
                adaptive=not plain,
                lr=base_lr,
                momentum=momentum if plain and isinstance(momentum, float) else 0.0,
            )
            if look
            else None
        )
        return Course(
            epochs=chart.epochs,
            planned=self._trainable.epochs,
            last=last,
            complete=state.cursor.step == self._trainable.steps,
            first_loss=chart.first_loss or 0.0,
            train_losses=chart.train_losses,
            val_losses=chart.val_losses,
            lowest=chart.lowest or 0.0,
            train_loss_at_lowest=chart.train_loss_at_lowest,
            epochs_since_lowest=chart.epochs_since_lowest,
            constant_loss=self._constant.loss(metrics),
            lr=float(state.optimizer.param_groups[0]["lr"]),
            peak_lr=chart.peak_lr,
            base_lr=base_lr,
            update=update,
            lost=self._lost(state, metrics),
        )

    def _lost(self, state: TrainingState, metrics: Mapping[str, float]) -> float | None:
        metric = self._spec.training.best_metric
        best, baseline = state.cursor.best, self._trainable.baseline.metrics.get(metric)
        if best is None or baseline is None or not is_better(metric, best, baseline):
            return None
        return (best - metrics[metric]) / (best - baseline)

    def _finding(self, state: TrainingState, symptom: Symptom) -> TrainingFinding:
        base_lr = float(state.schedule.base_lrs[0])
        treatment = treatments.treat(symptom, self._spec, base_lr=base_lr)
        return TrainingFinding(
            code=symptom.code,
            message=f"{symptom.seen}; {treatment.advice}.",
            evidence=symptom.evidence,
            patch=treatment.patch,
            layer=symptom.layer,
        )


def _is_due(epoch: int) -> bool:
    """Tell whether it is epoch 1, 2, 4, 8, …"""
    return epoch & (epoch - 1) == 0
