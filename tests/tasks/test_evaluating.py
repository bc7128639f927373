"""What is told of models: checked by hand, and against a search without any cleverness."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# torch annotates some of its functions only in part.

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from service.domain.evaluations import Evaluation
from service.tasks.calibrating import (
    MAX_LOGITS,
    LogitSample,
    calibration_error,
    fit_temperature,
)
from service.tasks.evaluating import ClassEvidence, ValueEvidence, WordEvidence

IGNORED = -100


def logits_for(guesses: list[int], classes: int, strength: float = 3.0) -> Tensor:
    return strength * functional.one_hot(torch.tensor(guesses), classes).float()


def of_classes(guesses: list[int], targets: list[int], labels: list[str]) -> Evaluation:
    evidence = ClassEvidence(labels)
    evidence.add(logits_for(guesses, len(labels)), torch.tensor(targets))
    return evidence.evaluation()


def test_classes_are_told_one_by_one() -> None:
    told = of_classes([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], ["ham", "spam", "unseen"])
    assert told.confusion is not None
    assert told.confusion.counts == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    ham, spam = told.classes
    assert (ham.label, ham.examples, ham.precision, ham.recall, ham.f1) == ("ham", 2, 0.5, 0.5, 0.5)
    assert (spam.precision, spam.recall, spam.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert told.intervals["val_accuracy"].value == 0.6
    assert told.intervals["val_f1"].value == pytest.approx((0.5 + 2 / 3) / 2)
    assert spam.f1_interval is not None
    assert spam.f1_interval.low < spam.f1 < spam.f1_interval.high


def test_a_class_that_is_never_named_has_no_precision() -> None:
    told = of_classes([0, 0], [0, 1], ["ham", "spam"])
    assert told.classes[1].precision is None
    assert told.classes[1].f1 == 0


def test_many_classes_have_no_confusion() -> None:
    told = of_classes([0, 1], [0, 1], [str(number) for number in range(51)])
    assert told.confusion is None
    assert set(told.intervals) == {"val_loss", "val_accuracy"}


@settings(max_examples=15)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_the_batches_do_not_matter(sizes: list[int]) -> None:
    generator = torch.Generator().manual_seed(sum(sizes))
    logits = torch.randn(sum(sizes), 3, generator=generator)
    targets = torch.randint(3, (sum(sizes),), generator=generator)
    whole, parts = ClassEvidence(list("abc")), ClassEvidence(list("abc"))
    whole.add(logits, targets)
    first = 0
    for size in sizes:
        parts.add(logits[first : first + size], targets[first : first + size])
        first += size
    assert parts.evaluation() == whole.evaluation()


def test_padding_is_no_word() -> None:
    evidence = WordEvidence(IGNORED)
    targets = torch.tensor([[1, 2], [0, IGNORED]])
    logits = logits_for([1, 1, 0, 2], 3).view(2, 2, 3)
    evidence.add(logits, targets)
    told = evidence.evaluation()
    loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).item()
    assert told.examples == 3
    assert told.intervals["val_accuracy"].value == pytest.approx(2 / 3)
    assert told.intervals["val_loss"].value == pytest.approx(loss)
    assert told.intervals["val_perplexity"].value == pytest.approx(np.exp(loss))


def test_values_are_told_in_the_unit_of_the_target() -> None:
    evidence = ValueEvidence()
    evidence.add(torch.tensor([11.0, 22.0, 30.0]), torch.tensor([10.0, 20.0, 30.0]))
    told = evidence.evaluation()
    assert told.intervals["val_mae"].value == pytest.approx(1)
    assert told.intervals["val_rmse"].value == pytest.approx((5 / 3) ** 0.5)
    assert told.intervals["val_r2"].value == pytest.approx(1 - 5 / 200)
    assert told.error_quantiles["50"] == 1
    assert told.error_quantiles["100"] == 2


def test_without_data_nothing_is_told() -> None:
    for evidence in (ClassEvidence(["a"]), WordEvidence(IGNORED), ValueEvidence()):
        assert evidence.evaluation() == Evaluation(examples=0)


@settings(max_examples=10)
@given(st.floats(0.2, 6), st.integers(0, 1000))
def test_the_temperature_is_the_one_that_a_search_finds(strength: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    logits = strength * generator.normal(size=(200, 4))
    targets = generator.integers(0, 4, 200)
    targets[:120] = logits[:120].argmax(axis=1)

    def loss(temperature: float) -> float:
        scaled = torch.from_numpy(logits / temperature)
        return functional.cross_entropy(scaled, torch.from_numpy(targets)).item()

    found = fit_temperature(logits, targets)
    assert loss(found) <= min(loss(each) for each in np.geomspace(0.05, 20, 80)) + 1e-9


@pytest.mark.parametrize(("right", "end"), [(True, 0.05), (False, 20)])
def test_the_temperature_has_ends(right: bool, end: float) -> None:
    logits = np.array([[2.0, -2.0], [-2.0, 2.0]])
    targets = np.array([0, 1] if right else [1, 0])
    assert fit_temperature(logits, targets) == pytest.approx(end, rel=1e-3)


def test_who_is_too_sure_is_better_calibrated_afterwards() -> None:
    evidence = ClassEvidence(["a", "b"])
    evidence.add(logits_for([0, 1] * 50, 2, strength=20), torch.tensor([0, 1, 0, 0] * 25))
    calibration = evidence.evaluation().calibration
    assert calibration is not None
    assert calibration.temperature > 1
    assert calibration.error_before == pytest.approx(0.25, abs=1e-6)
    assert calibration.error_after < 0.01


def test_the_error_of_calibration_is_that_of_a_calculation_by_hand() -> None:
    logits = np.log([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    error = calibration_error(logits, np.array([0, 1, 0]))
    assert error == pytest.approx((abs(1 - 1.8) + abs(1 - 0.6)) / 3)


def test_a_sample_of_logits_stays_small_and_is_spread_over_all() -> None:
    sample, classes = LogitSample(), MAX_LOGITS // 100
    for number in range(40):
        logits = torch.zeros(10, classes)
        logits[:, 0] = number
        sample.add(logits, np.zeros(10, dtype=np.int64))
    told = sample.calibration()
    assert told is not None
    assert 50 <= told.examples <= 100
