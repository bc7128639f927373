"""Illnesses that layers show, on numbers alone."""

import pytest

from service.training import layer_symptoms
from service.training.layer_symptoms import Activity, Gradient


def an_activity(activation: str, idle: int, units: int = 20) -> Activity:
    return Activity(layer="2", place=1, of=3, activation=activation, units=units, idle=idle)


@pytest.mark.parametrize(("idle", "ill"), [(17, False), (18, True), (20, True)])
def test_a_layer_whose_relus_are_mostly_0_is_dead(idle: int, *, ill: bool) -> None:
    symptom = layer_symptoms.dead_relus(an_activity("relu", idle))
    assert (symptom is not None) is ill
    assert layer_symptoms.saturated(an_activity("relu", idle)) is None


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize(("idle", "ill"), [(17, False), (18, True)])
def test_a_layer_at_the_flat_ends_is_saturated(activation: str, idle: int, *, ill: bool) -> None:
    symptom = layer_symptoms.saturated(an_activity(activation, idle))
    assert (symptom is not None) is ill
    assert layer_symptoms.dead_relus(an_activity(activation, idle)) is None


def test_three_units_are_no_layer_to_judge() -> None:
    assert layer_symptoms.dead_relus(an_activity("relu", 3, units=3)) is None


def test_an_idle_layer_is_named_with_its_place_and_its_share() -> None:
    symptom = layer_symptoms.dead_relus(an_activity("relu", 19))
    assert symptom is not None
    assert symptom.layer == "2"
    assert symptom.seen.startswith("19 of the 20 units of activation 1 of 3 (2) are 0")
    assert symptom.evidence == {"units": 20, "idle": 19, "share": 0.95}


def norms(*values: float) -> list[Gradient]:
    return [Gradient(f"layer {place}", value) for place, value in enumerate(values)]


@pytest.mark.parametrize(("first", "ill"), [(0.011, False), (0.009, True), (0.0, True)])
def test_a_gradient_that_hardly_reaches_a_layer_vanishes(first: float, *, ill: bool) -> None:
    symptom = layer_symptoms.vanishing_gradients(norms(first, 0.1, 1.0))
    assert (symptom is not None) is ill
    assert symptom is None or symptom.layer == "layer 0"


@pytest.mark.parametrize(("first", "ill"), [(90.0, False), (110.0, True)])
def test_a_gradient_that_grows_on_its_way_back_explodes(first: float, *, ill: bool) -> None:
    symptom = layer_symptoms.exploding_gradients(norms(first, 10.0, 1.0))
    assert (symptom is not None) is ill
    assert symptom is None or symptom.evidence["ratio"] == pytest.approx(110)


def test_norms_that_differ_all_over_do_not_vanish() -> None:
    """As in a Transformer, whose gradients take the shortcuts."""
    assert layer_symptoms.vanishing_gradients(norms(0.006, 0.03, 0.02, 0.003, 0.01, 1.0)) is None


def test_without_any_gradient_there_is_nothing_to_compare() -> None:
    """All of the last batch may be told with certainty."""
    still = norms(0.0, 0.0, 0.0)
    assert layer_symptoms.vanishing_gradients(still) is None
    assert layer_symptoms.exploding_gradients(still) is None
    assert layer_symptoms.exploding_gradients(norms(1e-3, 0.0)) is None
