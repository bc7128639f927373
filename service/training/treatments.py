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
ADAPTIVE = {"adam", "adamw", "rmsprop", "muon"}
ENDLESS_ACTIVATION = {"mlp": "relu", "cnn": "relu", "rnn": "relu"}
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


def _smooth(spec: JobSpec, base_lr: float) -> Treatment:
    """Try an activation that has a slope everywhere."""
    if spec.architecture.options().get("mlp") == "relu2":
        change: Patch = {"architecture": {"mlp": "gelu"}}
        return Treatment("try gelu in the perceptrons", {**change, **_longer(spec)})
    return _activation(spec, base_lr, SMOOTH_ACTIVATION)


def _desaturate(spec: JobSpec, base_lr: float) -> Treatment:
    """Try an activation without an upper end, and clip: weights grew large to get there."""
    treatment = _activation(spec, base_lr, ENDLESS_ACTIVATION)
    longer: Patch = {"gradient_clip": CLIP, **_training(spec)}
    patch: Patch = {**(treatment.patch or {}), "training": longer}
    return Treatment(f"{treatment.advice}, with the gradient clipped at {CLIP:g}", patch)


def _activation(spec: JobSpec, base_lr: float, better: Mapping[str, str]) -> Treatment:
    wanted = better.get(spec.architecture.type)
    if wanted is None or spec.architecture.options().get("activation") == wanted:
        return _smaller_rate(spec, base_lr)
    change: Patch = {"architecture": {"activation": wanted}}
    return Treatment(f"try {wanted} as activation", {**change, **_longer(spec)})


def _rescale(spec: JobSpec, base_lr: float) -> Treatment:
    """Try an optimizer that scales small gradients up, else an activation that shrinks them less.

    Not ReLU: weights that were drawn for sigmoids are too large for it, and a fork keeps them.
    (The recipe `stuck`, ten epochs on: ReLU diverges, tanh comes to 0.72, AdamW to 0.88.)
    """
    if spec.optimizer.type not in ADAPTIVE:
        change: Patch = {"optimizer": {"type": "adamw"}}
        return Treatment("try the optimizer adamw", {**change, **_longer(spec)})
    if spec.architecture.options().get("activation") in {"sigmoid", "step"}:
        return _activation(spec, base_lr, dict.fromkeys(ENDLESS_ACTIVATION, "tanh"))
    return _smaller_rate(spec, base_lr)


def _clip(spec: JobSpec, base_lr: float) -> Treatment:
    clip = spec.training.gradient_clip
    if clip is not None and clip <= CLIP:
        return _smaller_rate(spec, base_lr)
    training: Patch = {"gradient_clip": CLIP, **_training(spec)}
    return Treatment(f"try to clip the gradient at {CLIP:g}", {"training": training})


def _regularise(spec: JobSpec, _lr: float) -> Treatment:
    """Leave units out, and stop in time; the best checkpoint so far is served in any case."""
    stopping: JsonValue = {"metric": "val_loss", "patience": PATIENCE}
    change: Patch = {"training": {"early_stopping": stopping, **_training(spec)}}
    dropout = spec.architecture.options().get("dropout")
    if isinstance(dropout, float | int) and dropout < DROPOUT:
        change["architecture"] = {"dropout": DROPOUT}
        return Treatment(f"try a dropout of {DROPOUT:g}, and early stopping", change)
    return Treatment("try early stopping, or find more data", change)


def _balance(spec: JobSpec, _lr: float) -> Treatment:
    if spec.task not in CLASSIFICATIONS or spec.dataset.options.get("class_weights") == "balanced":
        return Treatment("find more examples of it", None)
    patch: Patch = {"dataset": {"class_weights": "balanced"}}
    return Treatment("try balanced class weights, which count rare classes for more", patch)


def _train_on(spec: JobSpec, _lr: float) -> Treatment:
    [(name, count)] = _training(spec).items()
    unit = "steps" if name == "max_steps" else name
    return Treatment(f"try {count} {unit}", _longer(spec))


def _longer(spec: JobSpec) -> Patch:
    return {"training": {**_training(spec)}}


def _training(spec: JobSpec) -> Patch:
    """Train as much again."""
    training = spec.training
    if training.max_steps is not None:
        return {"max_steps": min(2 * training.max_steps, MOST_STEPS)}
    return {"epochs": min(max(2 * (training.epochs or 1), LEAST_EPOCHS), MOST_EPOCHS)}


def _round(lr: float) -> float:
    return float(f"{lr:.2g}")


_TREATMENTS: Mapping[FindingCode, Callable[[JobSpec, float], Treatment]] = {
    "lr_too_large": _smaller_rate,
    "stuck_at_baseline": _rescale,
    "dead_relus": _smooth,
    "saturated": _desaturate,
    "vanishing_gradients": _rescale,
    "exploding_gradients": _clip,
    "overfitting": _regularise,
    "class_never_predicted": _balance,
    "still_improving": _train_on,
}
