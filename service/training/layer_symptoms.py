"""Illnesses that layers show: in their activations, and in how gradients reach them."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import JsonValue

from service.domain.findings import FindingCode
from service.training.course import Symptom

MOSTLY = 0.9
VANISHED = 1e-2
EXPLODED = 1e3
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
    """Of the gradient at the last layer next to nothing arrives at an earlier one."""
    least, last = _extremes(gradients)[0], gradients[-1]
    if least.norm >= VANISHED * last.norm:
        return None
    return _reaches("vanishing_gradients", least, last)


def exploding_gradients(gradients: Sequence[Gradient]) -> Symptom | None:
    """On its way back the gradient grows by orders of magnitude."""
    most, last = _extremes(gradients)[1], gradients[-1]
    if most.norm <= EXPLODED * last.norm or not last.norm:
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


def _extremes(gradients: Sequence[Gradient]) -> tuple[Gradient, Gradient]:
    by_norm = sorted(gradients, key=lambda gradient: gradient.norm)
    return by_norm[0], by_norm[-1]


def _reaches(code: FindingCode, there: Gradient, last: Gradient) -> Symptom:
    seen = (
        f"The gradient has a norm of {there.norm:.2g} at {there.layer} and of {last.norm:.2g} at "
        f"the last layer, {last.layer}"
    )
    evidence: dict[str, JsonValue] = {
        "gradient_norm": there.norm,
        "last_gradient_norm": last.norm,
        "ratio": there.norm / last.norm,
    }
    return Symptom(code, seen, evidence, there.layer)
