"""What to try against an illness: a few words, and a merge patch that a fork of the job takes.

A fork goes on from the newest checkpoint, which may be the last one: every patch that keeps the
place in the data also makes the run longer, or there would be nothing left to train.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pydantic import JsonValue

from service.domain.findings import FindingCode
from service.domain.jobs import JobSpec
from service.training.course import Symptom
from service.training.symptoms import USUAL_UPDATE

Patch = dict[str, JsonValue]
CLIP = 1.0
DROPOUT = 0.3
PATIENCE = 3
LEAST_EPOCHS, MOST_EPOCHS, MOST_STEPS = 3, 100_000, 100_000_000
LARGEST_LR = 1000.0
CLASSIFICATIONS = {"image_classification", "text_classification", "classification"}
GOOD_ACTIVATION = {"mlp": "relu", "cnn": "relu", "rnn": "tanh"}
SMOOTH_ACTIVATION = {"mlp": "gelu", "cnn": "gelu", "rnn": "tanh"}


class Treatment(NamedTuple):
    """The second half of a finding's sentence, and the patch; None where no option helps."""

    advice: str
    patch: Patch | None


def treat(symptom: Symptom, spec: JobSpec, *, base_lr: float) -> Treatment:
    """Choose what to try against what was seen of a job with this spec."""
    if symptom.code == "lr_too_small":
        return _learning_rate(spec, base_lr, _larger(symptom))
    return _TREATMENTS[symptom.code](spec, base_lr)


def _smaller_rate(spec: JobSpec, base_lr: float) -> Treatment:
    return _learning_rate(spec, base_lr, 0.1)


def _learning_rate(spec: JobSpec, base_lr: float, factor: float) -> Treatment:
    lr = _round(min(base_lr * factor, LARGEST_LR))
    optimizer: Patch = {"lr": lr}
    for name, value in spec.optimizer.options().items():
        if name.endswith("_lr") and isinstance(value, float):
            optimizer[name] = _round(min(value * factor, LARGEST_LR))
    return Treatment(f"try a learning rate of {lr:g}", {"optimizer": optimizer, **_longer(spec)})


def _larger(symptom: Symptom) -> float:
    """Tell by how much lr must grow, in powers of ten, for steps of the usual size."""
    update = symptom.evidence["update_ratio"]
    small = update if isinstance(update, float) and update > 0 else USUAL_UPDATE / 1000
    return 10.0 ** min(3, max(1, round(math.log10(USUAL_UPDATE / small))))


def _straighten(spec: JobSpec, base_lr: float) -> Treatment:
    return _activation(spec, base_lr, GOOD_ACTIVATION)


def _smooth(spec: JobSpec, base_lr: float) -> Treatment:
    return _activation(spec, base_lr, SMOOTH_ACTIVATION)


def _activation(spec: JobSpec, base_lr: float, better: dict[str, str]) -> Treatment:
    architecture = spec.architecture.options()
    if spec.architecture.type == "transformer" and architecture.get("mlp") == "relu2":
        return Treatment(
            "try gelu in the perceptrons", {"architecture": {"mlp": "gelu"}, **_longer(spec)}
        )
    wanted = better.get(spec.architecture.type)
    if wanted is None or architecture.get("activation") == wanted:
        return _smaller_rate(spec, base_lr)
    change: Patch = {"architecture": {"activation": wanted}}
    return Treatment(f"try {wanted} as activation", {**change, **_longer(spec)})


def _unstick(spec: JobSpec, base_lr: float) -> Treatment:
    """Try an activation that lets gradients through, else an optimizer that scales them."""
    activation = spec.architecture.options().get("activation")
    if activation in {"sigmoid", "step"}:
        return _straighten(spec, base_lr)
    if spec.optimizer.type != "adamw":
        change: Patch = {"optimizer": {"type": "adamw"}}
        return Treatment("try the optimizer adamw", {**change, **_longer(spec)})
    treatment = _smaller_rate(spec, base_lr)
    return treatment._replace(advice=f"{treatment.advice}, and see whether inputs tell the target")


def _clip(spec: JobSpec, base_lr: float) -> Treatment:
    clip = spec.training.gradient_clip
    if clip is not None and clip <= CLIP:
        return _smaller_rate(spec, base_lr)
    longer = _longer(spec)["training"]
    training: JsonValue = {"gradient_clip": CLIP, **(longer if isinstance(longer, dict) else {})}
    return Treatment(f"try to clip the gradient at {CLIP:g}", {"training": training})


def _regularise(spec: JobSpec, _lr: float) -> Treatment:
    """Leave units out, and stop in time; the best checkpoint so far is served in any case."""
    stopping: JsonValue = {"metric": "val_loss", "patience": PATIENCE}
    longer = _longer(spec)["training"]
    training: JsonValue = {
        "early_stopping": stopping,
        **(longer if isinstance(longer, dict) else {}),
    }
    dropout = spec.architecture.options().get("dropout")
    if isinstance(dropout, float | int) and dropout < DROPOUT:
        advice = f"try a dropout of {DROPOUT:g}, and early stopping"
        return Treatment(advice, {"architecture": {"dropout": DROPOUT}, "training": training})
    return Treatment("try early stopping, or find more data", {"training": training})


def _balance(spec: JobSpec, _lr: float) -> Treatment:
    if spec.task not in CLASSIFICATIONS or spec.dataset.options.get("class_weights") == "balanced":
        return Treatment("find more examples of it", None)
    patch: Patch = {"dataset": {"class_weights": "balanced"}}
    return Treatment("try balanced class weights, which count rare classes for more", patch)


def _train_on(spec: JobSpec, _lr: float) -> Treatment:
    longer = _longer(spec)
    return Treatment(f"try {_in_words(longer)}", longer)


def _longer(spec: JobSpec) -> Patch:
    """Train as much again."""
    training = spec.training
    if training.max_steps is not None:
        return {"training": {"max_steps": min(2 * training.max_steps, MOST_STEPS)}}
    epochs = max(2 * (training.epochs or 1), LEAST_EPOCHS)
    return {"training": {"epochs": min(epochs, MOST_EPOCHS)}}


def _in_words(longer: Patch) -> str:
    length = longer["training"]
    name, count = next(iter(length.items())) if isinstance(length, dict) else ("epochs", 0)
    return f"{count:,} {'steps' if name == 'max_steps' else name}"


def _round(lr: float) -> float:
    return float(f"{lr:.2g}")


_TREATMENTS: Mapping[FindingCode, Callable[[JobSpec, float], Treatment]] = {
    "lr_too_large": _smaller_rate,
    "stuck_at_baseline": _unstick,
    "dead_relus": _smooth,
    "saturated": _straighten,
    "vanishing_gradients": _straighten,
    "exploding_gradients": _clip,
    "overfitting": _regularise,
    "class_never_predicted": _balance,
    "still_improving": _train_on,
}
