"""Illnesses that losses show, as functions of plain numbers: each tells what is seen, or None.

`docs/doctor.md` says where each threshold comes from. All are strict: a healthy run gets nothing.
"""

from collections.abc import Sequence
from itertools import pairwise

from pydantic import JsonValue

from service.training.course import Course, Symptom

ABOVE_BEGINNING = 1.5
SWINGS = 0.2
MOST_IS_LEFT = 0.5
SMALL_UPDATE = 1e-4
USUAL_UPDATE = 1e-3
NEAR_BASELINE = 0.97
FLAT = 0.01
UNMOVED = 1e-3
GENERALISATION_LOSS = 0.1
LOST = 0.1
TRAIN_STILL_FELL = 0.8
STILL_FALLS = 0.03
ANNEALED = 0.1
STILL_FALLS_ANNEALED = 0.1
WORTH_IT = 0.005
ENOUGH_EXAMPLES = 5


def lr_too_large(course: Course) -> Symptom | None:
    """The loss lies above where it began, or swings up and down between epochs."""
    beginning = max(course.first_loss, course.constant_loss or 0.0)
    newest = course.train_losses[-1]
    changes = [after - before for before, after in pairwise(course.train_losses)]
    rise = sum(change for change in changes if change > 0)
    # One hump is no swing: full-batch descent climbs over some and goes on (Cohen et al. 2021).
    humps = sum(after > 0 >= before for before, after in pairwise([0.0, *changes]))
    evidence: dict[str, JsonValue] = {
        "train_loss": newest,
        "first_loss": course.first_loss,
        "lr": course.base_lr,
    }
    if newest > ABOVE_BEGINNING * beginning:
        seen = (
            f"Epoch {course.epochs} had a training loss of {newest:.3g}, above the "
            f"{course.first_loss:.3g} of the very first step: steps jump over the valley"
        )
        return Symptom("lr_too_large", seen, evidence)
    if humps >= 2 and rise > SWINGS * beginning:
        epochs = len(course.train_losses)
        seen = (
            f"The training loss went up {humps} times in the last {epochs} epochs, by {rise:.3g} "
            "in all: steps jump to and fro over the valley"
        )
        return Symptom("lr_too_large", seen, {**evidence, "rise": rise})
    return None


def lr_too_small(course: Course) -> Symptom | None:
    """Most of the loss is left, it falls steadily or not at all, and the weights hardly move."""
    if not course.is_late or course.update is None or course.update > SMALL_UPDATE:
        return None
    newest = course.train_losses[-1]
    falls = [before - after for before, after in pairwise(course.train_losses)]
    steady = min(falls) > 0 and falls[-1] >= max(falls) / 2
    unmoved = max(map(abs, falls)) < UNMOVED * newest
    if newest < MOST_IS_LEFT * course.first_loss or not (steady or unmoved):
        return None
    seen = (
        f"After {course.epochs} epochs the training loss is {newest:.3g}, and it began at "
        f"{course.first_loss:.3g}: a step changes the weights by only {course.update:.1e} of "
        "their size"
    )
    evidence: dict[str, JsonValue] = {
        "train_loss": newest,
        "first_loss": course.first_loss,
        "update_ratio": course.update,
        "lr": course.base_lr,
    }
    return Symptom("lr_too_small", seen, evidence)


def stuck_at_baseline(course: Course) -> Symptom | None:
    """The loss is that of the best constant answer, and moves no more."""
    constant, newest = course.constant_loss, course.val_losses[-1]
    if constant is None or constant < 1e-6 or not course.is_late or course.update is None:
        return None
    train_loss, before = course.train_losses[-1], course.train_losses[-2]
    flat = abs(before - train_loss) <= FLAT * train_loss
    if not flat or min(newest, course.lowest) < NEAR_BASELINE * constant:
        return None
    seen = (
        f"After {course.epochs} epochs the validation loss is {newest:.3g}, no better than the "
        f"{constant:.3g} of giving always the same answer"
    )
    evidence: dict[str, JsonValue] = {
        "val_loss": newest,
        "baseline_loss": constant,
        "train_loss": train_loss,
    }
    return Symptom("stuck_at_baseline", seen, evidence)


def overfitting(course: Course) -> Symptom | None:
    """The training loss falls on while validation gets worse: its loss, and what it is good for.

    Of classes, the loss alone may rise where the model is only too sure of itself.
    """
    newest, train_loss = course.val_losses[-1], course.train_losses[-1]
    rose = newest / course.lowest - 1 if course.lowest > 0 else 0.0
    if course.epochs_since_lowest < 3 or rose <= GENERALISATION_LOSS:
        return None
    worse = (course.lost or 0.0) > LOST or not course.is_better_than(1.0)
    if not worse or train_loss > TRAIN_STILL_FELL * course.train_loss_at_lowest:
        return None
    best = course.epochs - course.epochs_since_lowest
    seen = (
        f"Since epoch {best} the validation loss rose from {course.lowest:.3g} to {newest:.3g} "
        f"while the training loss fell from {course.train_loss_at_lowest:.3g} to {train_loss:.3g}"
    )
    evidence: dict[str, JsonValue] = {
        "val_loss": newest,
        "lowest_val_loss": course.lowest,
        "lowest_at_epoch": best,
        "train_loss": train_loss,
        "train_loss_at_lowest": course.train_loss_at_lowest,
    }
    return Symptom("overfitting", seen, evidence)


def still_improving(course: Course) -> Symptom | None:
    """The run is over, and the losses still fell; with an annealed rate they must fall by more."""
    if not course.complete or len(course.val_losses) < 3:
        return None
    annealed = course.lr < ANNEALED * course.peak_lr
    enough = STILL_FALLS_ANNEALED if annealed else STILL_FALLS
    drops = [
        1 - after / before if before > 0 else 0.0
        for losses in (course.val_losses[-3:], course.train_losses[-3:])
        for before, after in pairwise(losses)
    ]
    before, newest = course.val_losses[-2:]
    if min(drops) < enough or before - newest < WORTH_IT * course.first_loss:
        return None
    seen = (
        f"The last epoch still brought the validation loss from {before:.3g} down to {newest:.3g}, "
        f"by {1 - newest / before:.0%}"
    )
    evidence: dict[str, JsonValue] = {
        "val_loss": newest,
        "val_loss_before": before,
        "train_loss": course.train_losses[-1],
        "epochs": course.epochs,
    }
    return Symptom("still_improving", seen, evidence)


def class_never_predicted(
    labels: Sequence[str], examples: Sequence[int], predicted: Sequence[int]
) -> Symptom | None:
    """No validation example was taken for a class, though some are of it."""
    rows = zip(labels, examples, predicted, strict=True)
    never = {label: count for label, count, said in rows if not said and count >= ENOUGH_EXAMPLES}
    if not never:
        return None
    first, total = next(iter(never)), sum(examples)
    others = f" (nor for {len(never) - 1} other classes)" if len(never) > 1 else ""
    seen = (
        f"None of {total:,} validation examples was taken for {first!r}{others}, though "
        f"{never[first]:,} of them are"
    )
    evidence: dict[str, JsonValue] = {"classes": dict(never), "examples": total}
    return Symptom("class_never_predicted", seen, evidence)
