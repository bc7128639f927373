"""Classes of rows: labels, weights, answers, with a model whose sums are known."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# torch leaves tolist untyped.

import tracemalloc
from collections import Counter
from typing import Any

import pytest
import torch

from service.datasets.base import TableData
from service.domain.predictions import LabelCandidate
from service.domain.problems import Invalid
from service.tasks import classification, regression
from service.tasks.base import Prepared
from service.tasks.classification import ClassificationOptions
from tests.tasks.tables import Linear, a_table

SIGNS = {
    "a": [float(n) for n in range(40)],
    "b": [float(n * n) for n in range(40)],
    "kind": ["high" if n >= 30 else "low" for n in range(40)],
}


def signs(**columns: Any) -> TableData:
    return a_table({**SIGNS, **columns}, target="kind")


def prepared(data: TableData | None = None, **options: Any) -> Prepared:
    options = {"features": ["a"], **options}
    return classification.prepare(data or signs(), ClassificationOptions.model_validate(options))


def error_of(data: TableData, **options: Any) -> str:
    with pytest.raises(Invalid) as caught:
        classification.shape(data.facts, ClassificationOptions.model_validate(options))
    (error,) = caught.value.errors
    assert error.pointer == "/dataset/target"
    return error.detail


def test_each_class_validates_by_its_part() -> None:
    (batch,) = prepared(validation_fraction=0.2).validation.in_order(100)
    assert Counter(batch.targets.tolist()) == {0: 2, 1: 6}


def test_metrics_are_of_the_right_answers_and_the_baseline_of_the_largest_class() -> None:
    made = prepared(validation_fraction=0.2)
    always_low = Linear([[0.0], [0.0]])
    metrics = made.task.evaluate(always_low, made.validation.in_order(3))
    assert metrics["val_loss"] == pytest.approx(0.6931, abs=1e-4)
    assert metrics["val_accuracy"] == 0.25  # equal logits: the first class, high
    assert made.baseline.metrics == {"val_accuracy": 0.75}
    evaluation = made.task.assess(always_low, made.validation.in_order(3))
    assert evaluation.intervals["val_accuracy"].value == 0.25


def test_one_long_value_does_not_make_room_for_itself_in_every_row() -> None:
    cells = ["x" * 20_000, *(["high", "low"] * 1000)]
    data = a_table({"a": [*range(2001)], "b": cells, "kind": cells}, target="kind")
    tracemalloc.start()
    names = prepared(data, features=["a", "b"]).task.names
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert names["classes"] == ["high", "low", "x" * 20_000]
    assert peak < 20_000 * 2001


def test_balanced_weights_make_classes_count_alike() -> None:
    made = prepared(class_weights="balanced")
    (batch,) = made.train.in_order(100)
    sure_of_high = Linear([[0.0], [0.0]])
    plain, _ = prepared().task.loss(sure_of_high, batch, None)
    weighted, _ = made.task.loss(sure_of_high, batch, None)
    assert weighted.item() == pytest.approx(plain.item())  # weights are 1 on average
    rare = batch._replace(inputs=batch.inputs[batch.targets == 0])
    rare = rare._replace(targets=batch.targets[batch.targets == 0])
    heavier, _ = made.task.loss(sure_of_high, rare, None)
    assert heavier.item() == pytest.approx(plain.item() * 36 / (2 * 9))


def test_numbers_are_classes_in_their_order() -> None:
    data = a_table({"a": SIGNS["a"], "grade": [n % 3 * 5 + 0.5 * (n % 2) for n in range(40)]})
    made = prepared(data, target="grade")
    assert made.task.names["classes"] == ["0", "0.5", "5", "5.5", "10", "10.5"]


def test_a_target_of_few_values_is_a_class_and_one_of_many_a_number() -> None:
    data = a_table({**SIGNS, "grade": [n % 3 for n in range(40)]}, target="grade")
    for target, classes in (("grade", True), ("kind", True), ("b", False)):
        assert classification.TASK.suits(data.facts, {"target": target}) is classes
        assert regression.TASK.suits(data.facts, {"target": target}) is not classes
    assert classification.TASK.suits(data.facts, {})


def test_an_answer_names_the_classes() -> None:
    made = prepared()
    encoded = made.task.encode([{"a": 39}, {"a": 1000}])
    logits = made.task.infer(Linear([[1.0], [-1.0]]), encoded)
    answers = made.task.decode(logits, encoded, top_k=1, special_tokens=False)
    candidate = answers[0].candidates[0]
    assert isinstance(candidate, LabelCandidate)
    assert candidate.label == "high"
    assert [len(answer.warnings) for answer in answers] == [0, 1]
    assert answers[0].value is None


def test_a_restored_task_makes_the_same_tensors() -> None:
    task = prepared(class_weights="balanced", features=["a", "b"]).task
    again = classification.restore(task.preparation())
    assert again.preparation() == task.preparation()
    assert again.shape == task.shape
    row = {"a": 3.5, "b": 2}
    assert torch.equal(again.encode([{**row}]).tensor, task.encode([{**row}]).tensor)


def test_a_target_that_is_no_class_is_refused() -> None:
    assert "one value" in error_of(signs(kind=["high"] * 40))
    assert "no value" in error_of(signs(kind=[None] * 40))
    many = a_table({"a": list(range(1100)), "b": list(range(1100))}, target="b")
    assert "regression" in error_of(many)
    assert "no class" in error_of(
        a_table({**SIGNS, "day": ["2026-01-01", "2026-01-02"] * 20}), target="day"
    )
