"""Illnesses that layers show: in their activations, and in how gradients reach them."""

from collections.abc import Sequence
from statistics import geometric_mean
from typing import NamedTuple

from pydantic import JsonValue

from service.domain.findings import FindingCode
from service.training.course import Symptom

MOSTLY = 0.9
VANISHED = 1e-2
SHRUNK = 0.2
EXPLODED = 1e2
TINY = 1e-30
FEWEST_UNITS = 4


class Activity(NamedTuple):
    """Of a layer: how many of its units were idle on all that was shown.

    Of a ReLU those that were never above 0; of a sigmoid or tanh those that were always in the flat
    parts of the curve, where its slope is below a fiftieth of the greatest.
    """

    layer: str
    place: int
    of: int
    activation: str
    units: int
    idle: int


class Gradient(NamedTuple):
    """Of a layer: the norm of the gradient of its matrices, in the last step of an epoch."""

    layer: str
    norm: float


def dead_relus(activity: Activity) -> Symptom | None:
    """Most units of a layer of ReLUs are 0 whatever comes in: no gradient reaches them any more."""
    if activity.activation != "relu" or not _mostly_idle(activity):
        return None
    return _idle(activity, "dead_relus", "are 0 for every validation input")


def saturated(activity: Activity) -> Symptom | None:
    """Most units of a layer are in the flat parts of σ whatever comes in."""
    if activity.activation not in {"sigmoid", "tanh"} or not _mostly_idle(activity):
        return None
    where = f"sit at the flat ends of the {activity.activation} for every validation input"
    return _idle(activity, "saturated", where)


def vanishing_gradients(gradients: Sequence[Gradient]) -> Symptom | None:
    """The gradient shrinks on its way back, and next to nothing arrives at the first layers.

    In a network with shortcuts norms differ by layer too, but do not shrink from half to half.
    """
    first, rest = _halves(gradients)
    least, last = min(first, key=_norm), gradients[-1]
    if least.norm >= VANISHED * last.norm or _mean(first) > SHRUNK * _mean(rest):
        return None
    return _reaches("vanishing_gradients", least, last)


def exploding_gradients(gradients: Sequence[Gradient]) -> Symptom | None:
    """The gradient grows on its way back, by orders of magnitude."""
    first, rest = _halves(gradients)
    most, last = max(first, key=_norm), gradients[-1]
    if most.norm <= EXPLODED * last.norm or not last.norm or _mean(first) <= _mean(rest):
        return None
    return _reaches("exploding_gradients", most, last)


def _mostly_idle(activity: Activity) -> bool:
    return activity.units >= FEWEST_UNITS and activity.idle >= MOSTLY * activity.units


def _idle(activity: Activity, code: FindingCode, how: str) -> Symptom:
    seen = (
        f"{activity.idle} of the {activity.units} units of activation {activity.place} of "
        f"{activity.of} ({activity.layer}) {how}, so that no gradient passes them"
    )
    evidence: dict[str, JsonValue] = {
        "units": activity.units,
        "idle": activity.idle,
        "share": activity.idle / activity.units,
    }
    return Symptom(code, seen, evidence, activity.layer)


def _halves(gradients: Sequence[Gradient]) -> tuple[Sequence[Gradient], Sequence[Gradient]]:
    middle = len(gradients) // 2
    return gradients[:middle], gradients[middle:]


def _norm(gradient: Gradient) -> float:
    return gradient.norm


def _mean(gradients: Sequence[Gradient]) -> float:
    """Return the geometric mean of the norms."""
    return geometric_mean([max(gradient.norm, TINY) for gradient in gradients])


def _reaches(code: FindingCode, there: Gradient, last: Gradient) -> Symptom:
    seen = (
        f"The gradient has a norm of {there.norm:.2g} at the layer {there.layer} and of "
        f"{last.norm:.2g} at the last one, {last.layer}"
    )
    evidence: dict[str, JsonValue] = {
        "gradient_norm": there.norm,
        "last_gradient_norm": last.norm,
        "ratio": there.norm / last.norm,
    }
    return Symptom(code, seen, evidence, there.layer)
