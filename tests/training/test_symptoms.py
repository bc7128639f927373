"""Illnesses that losses show, on numbers alone: each is seen at its threshold and not before it."""

from typing import Any

import pytest

from service.training import symptoms
from service.training.course import Course

FELL: dict[str, Any] = {"train_losses": [1.2, 0.8, 0.6, 0.5], "val_losses": [1.3, 1.0, 0.9, 0.9]}


def a_course(**changed: Any) -> Course:
    """The end of a healthy run of four epochs with a constant learning rate."""
    options: dict[str, Any] = {
        "epochs": 4,
        "planned": 4,
        "last": True,
        "complete": True,
        "first_loss": 2.3,
        **FELL,
        "lowest": 0.9,
        "train_loss_at_lowest": 0.6,
        "epochs_since_lowest": 0,
        "constant_loss": 2.3,
        "lr": 0.1,
        "peak_lr": 0.1,
        "base_lr": 0.1,
        "update": 1e-3,
    }
    return Course(**{**options, **changed})


def test_a_healthy_course_shows_no_symptom() -> None:
    seen = [
        look(a_course())
        for look in (
            symptoms.lr_too_large,
            symptoms.lr_too_small,
            symptoms.stuck_at_baseline,
            symptoms.overfitting,
            symptoms.still_improving,
        )
    ]
    assert seen == [None] * 5


@pytest.mark.parametrize(("loss", "ill"), [(3.4, False), (3.5, True)])
def test_a_loss_far_above_its_beginning_is_too_large_a_rate(loss: float, *, ill: bool) -> None:
    symptom = symptoms.lr_too_large(a_course(epochs=1, train_losses=[loss], val_losses=[loss]))
    assert (symptom is not None) is ill


def test_above_the_beginning_means_above_the_baseline_too() -> None:
    """A first batch may be easy by chance."""
    assert symptoms.lr_too_large(a_course(first_loss=1.0, train_losses=[3.0])) is None


@pytest.mark.parametrize(
    ("losses", "ill"),
    [
        ([1.0, 1.4, 1.0, 1.3], True),
        ([1.0, 1.2, 1.0, 1.2], False),
        ([1.0, 2.0, 1.9, 1.8], False),
        ([1.0, 1.5, 2.0, 1.8], False),
    ],
)
def test_a_loss_that_swings_is_too_large_a_rate(losses: list[float], *, ill: bool) -> None:
    assert (symptoms.lr_too_large(a_course(train_losses=losses)) is not None) is ill


CRAWLS = [2.28, 2.25, 2.22, 2.19]


@pytest.mark.parametrize(
    ("changed", "ill"),
    [
        ({}, True),
        ({"update": 1e-3}, False),  # weights do move
        ({"update": None}, False),
        ({"train_losses": [1.3, 1.2, 1.15, 1.1]}, False),  # fell by more than half
        ({"train_losses": [2.29, 2.2, 2.19, 2.185]}, False),  # falls no more: a plateau
        ({"train_losses": [2.3, 2.3, 2.3, 2.3]}, True),  # does not move at all
        ({"train_losses": [2.28, 2.26, 2.27, 2.25]}, False),  # noise, no crawl
        ({"peak_lr": 0.02}, False),  # warm-up is not over
        ({"last": False, "planned": 10}, False),  # too early to tell
        ({"last": False, "planned": 8}, True),
        ({"epochs": 2, "train_losses": CRAWLS[:2]}, False),
    ],
)
def test_a_loss_that_crawls_is_too_small_a_rate(changed: dict[str, Any], *, ill: bool) -> None:
    course = a_course(**{"train_losses": CRAWLS, "update": 1e-5, **changed})
    assert (symptoms.lr_too_small(course) is not None) is ill


@pytest.mark.parametrize(
    ("changed", "ill"),
    [
        ({}, True),
        ({"val_losses": [2.3, 2.3, 2.3, 2.2], "lowest": 2.2}, False),
        ({"lowest": 2.0}, False),  # it was better before
        ({"train_losses": [2.4, 2.35, 2.3, 2.2]}, False),  # training learns: by heart
        ({"constant_loss": None}, False),
        ({"constant_loss": 0.0}, False),  # one class alone
        ({"last": False, "planned": 10}, False),
    ],
)
def test_no_better_than_one_answer_for_all_is_stuck(changed: dict[str, Any], *, ill: bool) -> None:
    losses = [2.31, 2.31, 2.3, 2.3]
    stuck = {"train_losses": losses, "val_losses": losses, "lowest": 2.3}
    assert (symptoms.stuck_at_baseline(a_course(**{**stuck, **changed})) is not None) is ill


@pytest.mark.parametrize(
    ("changed", "ill"),
    [
        ({}, True),
        ({"epochs_since_lowest": 2}, False),
        ({"lost": 0.05}, False),  # only too sure of itself: as good as before
        ({"lost": None}, False),
        ({"lost": None, "constant_loss": 1.4}, True),  # worse than knowing nothing
        ({"val_losses": [0.9, 0.95, 0.97, 0.98]}, False),
        ({"train_losses": [0.6, 0.6, 0.55, 0.55]}, False),
        ({"lowest": 0.0}, False),
    ],
)
def test_validation_that_rises_while_training_falls_is_overfitting(
    changed: dict[str, Any], *, ill: bool
) -> None:
    worse = {
        "lost": 0.2,
        "epochs_since_lowest": 3,
        "lowest": 0.9,
        "train_loss_at_lowest": 0.6,
        "train_losses": [0.6, 0.4, 0.3, 0.2],
        "val_losses": [0.9, 1.0, 1.2, 1.5],
    }
    symptom = symptoms.overfitting(a_course(**{**worse, **changed}))
    assert (symptom is not None) is ill


@pytest.mark.parametrize(
    ("changed", "ill"),
    [
        ({}, True),
        ({"complete": False}, False),  # stopped early, or by the clock
        ({"val_losses": [1.2, 1.0, 0.99]}, False),
        ({"train_losses": [1.2, 0.8, 0.79]}, False),
        ({"val_losses": [1.2, 1.0]}, False),
        ({"val_losses": [1.2, 1.16, 1.1], "lr": 0.001}, False),  # annealed: the plan was followed
        ({"val_losses": [1.2, 1.0, 0.8], "lr": 0.001}, True),
        ({"first_loss": 50.0}, False),  # by next to nothing, seen from the beginning
    ],
)
def test_losses_that_still_fall_at_the_end_want_more_epochs(
    changed: dict[str, Any], *, ill: bool
) -> None:
    falling = {"train_losses": [1.1, 0.9, 0.7], "val_losses": [1.2, 1.05, 0.9]}
    symptom = symptoms.still_improving(a_course(**{**falling, **changed}))
    assert (symptom is not None) is ill


@pytest.mark.parametrize(
    ("examples", "predicted", "never"),
    [
        ([50, 10], [60, 0], {"spam": 10}),
        ([50, 10], [59, 1], None),
        ([56, 4], [60, 0], None),  # too few to tell
        ([60, 0], [60, 0], None),  # there are none
    ],
)
def test_a_class_that_is_there_and_never_predicted_is_named(
    examples: list[int], predicted: list[int], never: dict[str, int] | None
) -> None:
    symptom = symptoms.class_never_predicted(["ham", "spam"], examples, predicted)
    assert (None if symptom is None else symptom.evidence["classes"]) == never


def test_what_is_seen_is_said_with_its_numbers() -> None:
    symptom = symptoms.lr_too_large(a_course(epochs=2, train_losses=[40.0]))
    assert symptom is not None
    assert "Epoch 2 had a training loss of 40, above the 2.3 of the very first step" in symptom.seen
    assert symptom.evidence == {"train_loss": 40.0, "first_loss": 2.3, "lr": 0.1}
