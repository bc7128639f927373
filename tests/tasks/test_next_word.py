"""Next word: what is prepared, measured and answered, against models whose answers are known."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# torch leaves tolist untyped.

import math
from collections.abc import Callable
from typing import cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.datasets import registry, text
from service.datasets.base import TextData
from service.datasets.tokenizers import WordTokenizer
from service.datasets.words import Vocabulary
from service.domain.datasets import SequenceUnit, TextFacts
from service.domain.predictions import Input, Prediction, TokenCandidate
from service.domain.problems import Invalid
from service.domain.shapes import TextShape
from service.tasks import next_word
from service.tasks.next_word import NextWord, NextWordOptions
from service.tasks.texts import MAX_WORDS
from tests.datasets.files import opened
from tests.tasks.data import Counting, a_text

WORD_LINES = st.lists(
    st.lists(
        st.sampled_from(["I", "i", "like", "rice", "밥", "밥을", "<unk>", ".", "É", "é"]),
        min_size=1,
        max_size=9,
    ).map(" ".join),
    min_size=3,
    max_size=20,
).filter(lambda lines: len({line.lower() for line in lines}) > 1)


def a_task(*tokens: str) -> NextWord:
    vocabulary = Vocabulary(("<unk>", "<eos>", *tokens))
    return NextWord(WordTokenizer(vocabulary, lowercase=True), lowercase=True, sequences="lines")


def words(prediction: Prediction) -> list[str]:
    return [
        candidate.token
        for candidate in prediction.candidates
        if isinstance(candidate, TokenCandidate)
    ]


def answers(
    task: NextWord, *inputs: Input, top_k: int = 3, special: bool = False
) -> list[Prediction]:
    encoded = task.encode(inputs)
    logits = task.infer(Counting(len(task.vocabulary)), encoded)
    return task.decode(logits, encoded, top_k=top_k, special_tokens=special)


@pytest.mark.parametrize("name", ["eating", "python-docs"])
@pytest.mark.parametrize("min_count", [1, 2, 7, 20])
def test_the_facts_of_a_built_in_tell_its_vocabulary_exactly(name: str, min_count: int) -> None:
    built_in = registry.built_ins()[name]
    files = built_in.files()
    facts = registry.check(built_in.spec, opened(**files)).facts
    assert isinstance(facts, TextFacts)
    options = NextWordOptions(min_count=min_count)
    prepared = next_word.prepare(text.load(files, facts), options)
    assert prepared.task.shape == next_word.shape(facts, options)
    assert prepared.task.shape == TextShape(vocabulary_size=facts.vocabulary_sizes[min_count - 1])
    assert prepared.train.steps_per_epoch(32) == next_word.steps_per_epoch(facts, options, 32)


@settings(max_examples=60)
@given(
    WORD_LINES,
    st.sampled_from(["lines", "stream"]),
    st.builds(
        NextWordOptions,
        min_count=st.integers(1, 4),
        max_vocabulary=st.integers(3, 9),
        lowercase=st.booleans(),
        validation_fraction=st.sampled_from([0.1, 0.5]),
        sequences=st.sampled_from([None, "lines", "stream"]),
    ),
)
def test_a_plan_never_tells_a_vocabulary_too_small(
    lines: list[str], sequences: SequenceUnit, options: NextWordOptions
) -> None:
    data = a_text([*lines, "ten more words that make this line long enough indeed"], sequences)
    assert vocabulary_prepared(data, options) <= vocabulary_told(data, options)
    default = NextWordOptions(min_count=options.min_count)
    assert vocabulary_prepared(data, default) == vocabulary_told(data, default)


def vocabulary_prepared(data: TextData, options: NextWordOptions) -> int:
    return size_or_2(lambda: cast("NextWord", next_word.prepare(data, options).task).shape)


def vocabulary_told(data: TextData, options: NextWordOptions) -> int:
    return size_or_2(lambda: next_word.shape(data.facts, options))


def size_or_2(shape: Callable[[], TextShape]) -> int:
    try:
        return shape().vocabulary_size
    except Invalid as invalid:
        if invalid.errors[0].pointer != "/dataset/min_count":
            raise
        return 2  # <unk> and <eos>: no word is left


@pytest.mark.parametrize("min_count", [4, 21, 1000])
def test_a_minimum_count_that_leaves_no_word_is_refused_before_and_after_the_data_are_read(
    min_count: int,
) -> None:
    data = a_text(["one two three", "three two four", "two one three"])
    options = NextWordOptions(min_count=min_count)
    assert vocabulary_prepared(data, options) == vocabulary_told(data, options) == 2


@given(WORD_LINES, st.integers(1, 8), st.booleans())
def test_train_and_validation_together_hold_every_word_once(
    lines: list[str], batch_size: int, stream: bool
) -> None:
    lines = [*lines, "ten more words that make this line long enough indeed"]
    data = a_text(lines, "stream" if stream else "lines")
    prepared = next_word.prepare(data, NextWordOptions())
    weights = [
        sum(batch.weight for batch in part.in_order(batch_size))
        for part in (prepared.train, prepared.validation)
    ]
    assert min(weights) > 0
    assert sum(weights) == data.facts.words + data.facts.lines


@given(
    WORD_LINES,
    WORD_LINES,
    st.sampled_from(["lines", "stream"]),
    st.builds(
        NextWordOptions,
        tokenizer=st.sampled_from(["word", "char"]),
        sequences=st.sampled_from([None, "lines", "stream"]),
        validation_fraction=st.sampled_from([0.1, 0.5]),
    ),
)
def test_a_file_that_validates_is_all_of_what_validates_and_nothing_of_it_is_learned(
    lines: list[str], test_lines: list[str], sequences: SequenceUnit, options: NextWordOptions
) -> None:
    lines = [*lines, "ten more words that make this line long enough indeed"]
    data = a_text(lines, sequences, test_lines=test_lines)
    prepared = next_word.prepare(data, options)
    known = cast("NextWord", prepared.task).tokenizer
    for part, of_file in ((prepared.train, lines), (prepared.validation, test_lines)):
        weight = sum(batch.weight for batch in part.in_order(4))
        assert weight == sum(len(known.split(line)) + 1 for line in of_file)
    learned = {token for line in lines for token in known.split(line)} | {"<unk>", "<eos>"}
    assert set(known.vocabulary.tokens) == learned
    assert known.name != "word" or prepared.task.shape == next_word.shape(data.facts, options)


def test_the_plan_of_a_text_with_a_file_that_validates_counts_its_steps() -> None:
    for sequences in ("lines", "stream"):
        data = a_text(sequences=sequences, test_lines=["i like rice"])
        options = NextWordOptions(validation_fraction=0.5)
        steps = next_word.steps_per_epoch(data.facts, options, 4)
        assert steps == next_word.prepare(data, options).train.steps_per_epoch(4)
        assert data.facts.test_lines == 1


def test_a_task_is_restored_from_its_preparation() -> None:
    prepared = next_word.prepare(a_text(), NextWordOptions(lowercase=False))
    preparation = prepared.task.preparation()
    again = next_word.restore(preparation)
    assert again.preparation() == preparation
    assert again.shape == prepared.task.shape


def test_the_loss_is_the_mean_over_the_words_alone() -> None:
    task = a_task("rice")
    targets = torch.tensor([[2, 1], [1, -100]])
    batch = next_word.Batch(torch.tensor([[1, 2], [1, 1]]), targets, 3)
    loss, carry = task.loss(Counting(3), batch, None)
    # One-hot logits of 20: the loss is 20 where another word is expected, nearly 0 where the same.
    assert loss.item() == pytest.approx(40 / 3, abs=1e-4)
    assert carry is None


def test_a_stream_carries_its_state_without_gradient() -> None:
    task = next_word.prepare(a_text(sequences="stream"), NextWordOptions()).task
    model = Counting(100)
    batch = next_word.Batch(torch.ones(2, 3).long(), torch.ones(2, 3).long(), 6)
    _, carry = task.loss(model, batch, None)
    _, carry = task.loss(model, batch, carry)
    assert carry is not None
    assert carry.tolist() == [[6], [6]]
    assert not carry.requires_grad


@pytest.mark.parametrize("sequences", ["lines", "stream"])
def test_evaluation_starts_every_line_anew_but_carries_a_stream(sequences: SequenceUnit) -> None:
    prepared = next_word.prepare(a_text(sequences=sequences), NextWordOptions(sequence_length=5))
    model = Counting(100)
    prepared.task.evaluate(model, prepared.validation.in_order(2))
    longest = max(int(counts.max()) for counts in model.counted)
    assert (longest > 5) == (sequences == "stream")


def test_metrics_do_not_depend_on_the_batch_size() -> None:
    prepared = next_word.prepare(a_text(), NextWordOptions())
    measured = [
        prepared.task.evaluate(Counting(100), prepared.validation.in_order(size))
        for size in (1, 3, 100)
    ]
    assert measured[0] == pytest.approx(measured[1])
    assert measured[0] == pytest.approx(measured[2])
    assert set(measured[0]) == set(next_word.TASK.metrics)


def test_a_hopeless_model_has_infinite_perplexity_not_an_error() -> None:
    prepared = next_word.prepare(a_text(), NextWordOptions())
    model = Counting(100)
    torch.nn.init.constant_(model.scale, 1000.0)
    measured = prepared.task.evaluate(model, prepared.validation.in_order(10))
    assert math.isinf(measured["val_perplexity"])


def test_the_unigram_baseline_is_counted_by_hand() -> None:
    # Seen: 2 2 1, plus one each over three words: shares 1/6, 2/6, 3/6.
    baseline = next_word.unigram(torch.tensor([2, 2, 1]), torch.tensor([2, 0]), 3)
    loss = -(math.log(3 / 6) + math.log(1 / 6)) / 2
    assert baseline.name == "unigram"
    assert baseline.metrics == pytest.approx(
        {"val_loss": loss, "val_perplexity": math.exp(loss), "val_accuracy": 0.5}
    )


def test_an_answer_names_words_with_their_probability() -> None:
    (prediction,) = answers(a_task("i", "like", "rice"), "I LIKE", top_k=2)
    assert words(prediction)[0] == "like"
    assert prediction.candidates[0].probability == pytest.approx(1.0, abs=1e-6)
    assert len(prediction.candidates) == 2


def test_special_words_are_shown_only_when_asked() -> None:
    task = a_task("rice")
    hidden, shown = answers(task, "pizza")[0], answers(task, "pizza", special=True)[0]
    assert words(hidden) == ["rice"]
    assert words(shown)[0] == "<unk>"


def test_unknown_words_are_named_once_and_in_order() -> None:
    assert answers(a_task("rice"), "Pizza rice soup pizza")[0].unknown == ["pizza", "soup"]


def test_inputs_of_many_lengths_are_answered_as_if_alone() -> None:
    task = a_task("i", "like", "rice")
    inputs = ["i like rice", "i", "", "rice like i like", "like i"]
    assert answers(task, *inputs) == [answers(task, one)[0] for one in inputs]


def test_an_empty_input_and_a_long_one_are_answered_with_a_warning() -> None:
    empty, long = answers(a_task("rice"), " ", "rice " * (MAX_WORDS + 1))
    assert "no word" in empty.warnings[0]
    assert f"last {MAX_WORDS} of {MAX_WORDS + 1}" in long.warnings[0]


def test_the_memory_for_logits_is_bounded_by_reading_in_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = a_task("i", "like", "rice")
    inputs = ["i like rice"] * 7
    whole = answers(task, *inputs)
    monkeypatch.setattr(next_word, "_LOGITS_AT_ONCE", 10)
    assert answers(task, *inputs) == whole


@pytest.mark.parametrize("value", [1, None, True, ["a"], {"text": "a"}, b"a", "a\0b", "\ud800"])
def test_what_is_no_text_is_named(value: Input) -> None:
    with pytest.raises(Invalid) as raised:
        a_task("rice").encode(["rice", value])
    assert [error.pointer for error in raised.value.errors] == ["/inputs/1"]


def test_lines_that_cannot_be_split_are_a_problem_of_the_job() -> None:
    data = a_text(["one line that has more than ten words in it altogether"], "stream")
    with pytest.raises(Invalid) as raised:
        next_word.prepare(data, NextWordOptions(sequences="lines"))
    assert raised.value.errors[0].pointer == "/dataset/sequences"
