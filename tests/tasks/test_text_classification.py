"""Texts and their classes: what is split, measured, kept and answered."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# torch leaves tolist untyped.

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from service.datasets.base import LabelledTextData
from service.datasets.tokenizers import TokenizerName
from service.datasets.words import END_INDEX
from service.domain.datasets import CsvFormat, LabelledTextFacts
from service.domain.predictions import LabelCandidate
from service.domain.problems import Invalid
from service.tasks.base import Prepared, join
from service.tasks.text_classification import TASK, TextClassification, prepare, restore
from service.tasks.text_classification_options import TextClassOptions, shape

FORMAT = CsvFormat(encoding="utf-8", delimiter=",", quoting=True, header=True, missing=[])
GOOD = [f"좋은 아침 {number}" for number in range(30)]
BAD = [f"bad day {number}!" for number in range(10)]


def texts_of(
    texts: Sequence[str], labels: Sequence[str], held_out: Sequence[bool] | None = None
) -> LabelledTextData:
    classes = sorted(set(labels))
    places = np.array([classes.index(label) for label in labels], dtype=np.int64)
    facts = LabelledTextFacts(
        format=FORMAT,
        text="text",
        label="label",
        classes=classes,
        examples=len(texts),
        test_examples=sum(held_out or []),
        examples_per_class=np.bincount(places).tolist(),
        words=3 * len(texts),
        distinct_words=len(texts) + 5,
        longest=4,
    )
    given_out = None if held_out is None else np.array(held_out, dtype=np.bool_)
    return LabelledTextData(facts=facts, texts=list(texts), labels=places, held_out=given_out)


def good_and_bad() -> LabelledTextData:
    return texts_of([*GOOD, *BAD], ["good"] * len(GOOD) + ["bad"] * len(BAD))


def prepared(data: LabelledTextData | None = None, **options: Any) -> Prepared:
    return prepare(data or good_and_bad(), TextClassOptions.model_validate(options))


def a_task(data: LabelledTextData | None = None, **options: Any) -> TextClassification:
    task = prepared(data, **options).task
    assert isinstance(task, TextClassification)
    return task


class Fixed(nn.Module):
    """Answers what it is told, whatever the text; in the order of the batches."""

    def __init__(self, answers: Sequence[int], classes: int = 2) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.answers, self.classes, self.at = answers, classes, 0

    def forward(self, tokens: Tensor) -> Tensor:
        answers = self.answers[self.at : self.at + len(tokens)]
        self.at += len(tokens)
        return 5 * self.scale * nn.functional.one_hot(torch.tensor(answers), self.classes).float()


class MeanIndex(nn.Module):
    """Answers by the mean of the tokens before the end."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, tokens: Tensor) -> Tensor:
        total = (tokens * (tokens != END_INDEX)).sum(dim=1) * self.scale
        return torch.stack([total, -total], dim=1) / tokens.shape[1]


def test_a_part_of_every_class_is_held_out() -> None:
    validation = list(prepared(validation_fraction=0.2).validation.in_order(100))

    assert torch.bincount(validation[0].targets).tolist() == [2, 6]


def test_rows_that_the_data_hold_out_are_those_that_validate() -> None:
    texts, labels = ["good one", "bad one", "good two", "bad two"], ["g", "b", "g", "b"]

    made = prepared(texts_of(texts, labels, [False, False, True, True]), tokenizer="word")

    (batch,) = made.validation.in_order(10)
    assert batch.targets.tolist() == [1, 0]
    assert set(made.task.names["words"][2:]) == {"good", "bad", "one"}


@given(st.lists(st.sampled_from(["a b", "A  B", "c", "d", "e", "f"]), min_size=4), st.data())
def test_no_text_that_validates_was_trained_on(texts: list[str], data: st.DataObject) -> None:
    labels = data.draw(st.lists(st.sampled_from("xy"), min_size=len(texts), max_size=len(texts)))
    try:
        made = prepared(texts_of(texts, labels), tokenizer="char", lowercase=True)
    except Invalid:
        return

    def spelled(part: Any) -> set[str]:
        tokens = [*made.task.names["words"]]
        rows = [row for batch in part.in_order(100) for row in batch.inputs.tolist()]
        return {"".join(tokens[i] for i in row if i != END_INDEX).replace(" ", "") for row in rows}

    assert not spelled(made.train) & spelled(made.validation) - {"<unk>" * n for n in range(9)}


def test_every_row_ends_and_is_filled_up_with_the_end_of_texts() -> None:
    data = texts_of(["a b c", "d", "a b c", "d"], ["x", "y"] * 2, [False, False, True, True])

    (batch,) = prepared(data, tokenizer="word").train.in_order(2)

    assert (batch.inputs == END_INDEX).tolist() == [
        [False, False, False, True],
        [False, True, True, True],
    ]


def test_longer_texts_are_cut_and_a_client_is_told() -> None:
    task = a_task(tokenizer="word", sequence_length=2)

    encoded = task.encode(["bad day 3", "bad day"])

    assert encoded.lengths == [3, 3]
    assert encoded.warnings == [["only the first 2 of 3 tokens were read"], []]


@pytest.mark.parametrize("tokenizer", ["word", "char", "bpe"])
def test_unknown_tokens_are_named(tokenizer: TokenizerName) -> None:
    encoded = a_task(tokenizer=tokenizer).encode(["좋은 뷁", ""])

    assert encoded.unknown == [["뷁"], []]
    assert encoded.warnings[1] == [
        "the input is empty: this is what the model says of no text at all"
    ]


@pytest.mark.parametrize("inputs", [[3], [None], [["a"]], ["\x00"], [b"png"]])
def test_what_is_no_text_is_refused_by_its_place(inputs: list[Any]) -> None:
    with pytest.raises(Invalid) as refused:
        a_task().encode(["bad", *inputs])

    assert [error.pointer for error in refused.value.errors] == ["/inputs/1"]


def test_an_answer_does_not_depend_on_the_texts_beside_it() -> None:
    task, model = a_task(tokenizer="word"), MeanIndex()
    short, long = task.encode(["bad"]), task.encode(["bad day 3 bad day 3 bad day 3"])

    together = task.infer(model, join([short, long]))

    assert together[:1].equal(task.infer(model, short))
    assert together[1:].equal(task.infer(model, long))


def test_f1_of_two_classes_is_that_of_the_rarer_one() -> None:
    made = prepared(validation_fraction=0.2)
    answers = [1, 1, 1, 1, 1, 0, 0, 1]  # of six good ones and two bad ones, in their order

    metrics = made.task.evaluate(Fixed(answers), made.validation.in_order(3))

    assert metrics["val_accuracy"] == 6 / 8
    assert metrics["val_f1"] == pytest.approx(2 * 1 / (2 + 2))
    assert set(metrics) == set(TASK.metrics)


def test_f1_of_more_classes_is_the_mean_of_all() -> None:
    labels = ["a", "b", "c", "a", "b", "c"]
    data = texts_of(list("uvwxyz"), labels, [False] * 3 + [True] * 3)
    made = prepared(data, tokenizer="char")

    metrics = made.task.evaluate(Fixed([0, 1, 1], 3), made.validation.in_order(9))

    assert metrics["val_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_the_baseline_guesses_the_class_seen_most() -> None:
    baseline = prepared(validation_fraction=0.2).baseline

    assert baseline.name == "majority_class"
    assert baseline.metrics == {"val_accuracy": 6 / 8, "val_f1": 0.0}


def test_an_assessment_tells_the_same_f1_with_an_interval() -> None:
    made = prepared(validation_fraction=0.2)
    answers = [1, 1, 1, 1, 1, 0, 0, 1]

    assessed = made.task.assess(Fixed(answers), made.validation.in_order(8))

    assert assessed.intervals["val_f1"].value == pytest.approx(0.5)
    assert assessed.intervals["val_accuracy"].value == 6 / 8


def test_balanced_weights_let_every_class_count_the_same() -> None:
    made = prepared(class_weights="balanced")
    (batch,) = made.train.in_order(100)
    assert isinstance(made.task, TextClassification)
    weights = made.task.rules.weights

    assert weights is not None
    of_each = torch.tensor(weights)[batch.targets]
    assert of_each.mean().item() == pytest.approx(1)
    assert of_each[batch.targets == 0].sum().item() == pytest.approx(len(batch.targets) / 2)


def test_the_loss_counts_the_weight_of_each_class() -> None:
    task = a_task(class_weights="balanced")
    (batch,) = prepared().train.in_order(100)
    model = Fixed([0] * 100)

    loss, carry = task.loss(model, batch, None)

    each = nn.functional.cross_entropy(
        Fixed([0] * 100)(batch.inputs), batch.targets, reduction="none"
    )
    sides = [each[batch.targets == label].mean() for label in (0, 1)]
    assert loss.item() == pytest.approx((sides[0] + sides[1]).item() / 2)
    assert carry is None


@pytest.mark.parametrize("tokenizer", ["word", "char", "bpe"])
def test_a_task_that_is_restored_answers_alike(tokenizer: TokenizerName) -> None:
    task = a_task(tokenizer=tokenizer, class_weights="balanced", sequence_length=3)
    again = restore(task.preparation())

    assert (again.rules, again.shape, again.names) == (task.rules, task.shape, task.names)
    inputs = ["좋은 bad day 뷁"]
    assert again.encode(inputs).tensor.equal(task.encode(inputs).tensor)


def test_candidates_are_labels_best_first() -> None:
    task = a_task()
    encoded = task.encode(["bad"])

    (found,) = task.decode(task.infer(Fixed([1]), encoded), encoded, top_k=5, special_tokens=True)

    labels = [each.label for each in found.candidates if isinstance(each, LabelCandidate)]
    assert labels == ["good", "bad"]


def test_words_that_are_all_too_rare_are_refused() -> None:
    with pytest.raises(Invalid) as refused:
        prepared(min_count=1000)

    assert refused.value.errors[0].pointer == "/dataset/min_count"


@pytest.mark.parametrize("tokenizer", ["word", "char", "bpe"])
@pytest.mark.parametrize("lowercase", [True, False])
def test_the_shape_told_beforehand_bounds_the_one_that_is(
    tokenizer: TokenizerName, lowercase: bool
) -> None:
    options = TextClassOptions(tokenizer=tokenizer, lowercase=lowercase)
    told = shape(good_and_bad().facts, options)

    found = a_task(tokenizer=tokenizer, lowercase=lowercase).shape

    assert found.vocabulary_size <= told.vocabulary_size
    assert found.classes == told.classes


def test_the_steps_told_beforehand_are_those_of_an_epoch() -> None:
    told = TASK.steps_per_epoch(good_and_bad().facts, TextClassOptions(), 4)

    assert prepared().train.steps_per_epoch(4) == told
