"""Next word by characters and by pieces: what trains, what is kept, and what is answered."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# torch leaves tolist untyped.

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.datasets.tokenizers import TokenizerName
from service.domain.predictions import TokenCandidate
from service.domain.problems import Invalid
from service.tasks import next_word
from service.tasks.next_word import NextWord, NextWordOptions
from service.tasks.next_word_splits import split
from tests.tasks.data import FOODS, Counting, a_text

PIECES: list[TokenizerName] = ["char", "bpe"]
LINES = st.lists(st.text(st.sampled_from("ab 밥을."), min_size=1, max_size=9), min_size=12).filter(
    lambda lines: sum(bool(line.strip()) for line in lines) > 11 and len(set(lines)) > 3
)


def prepared(tokenizer: TokenizerName, **options: object) -> next_word.Prepared:
    return next_word.prepare(
        a_text(), NextWordOptions.model_validate({"tokenizer": tokenizer, **options})
    )


@pytest.mark.parametrize("name", PIECES)
def test_the_same_lines_validate_whatever_the_tokenizer(name: TokenizerName) -> None:
    by_word = split(a_text(), NextWordOptions(sequence_length=4096)).validation
    by_piece = split(a_text(), NextWordOptions(tokenizer=name, sequence_length=4096)).validation

    assert len(list(by_piece.in_order(1))) == len(list(by_word.in_order(1)))


def test_characters_of_a_line_come_with_its_end() -> None:
    task = prepared("char").task
    assert isinstance(task, NextWord)

    batch = next(prepared("char").validation.in_order(1))

    tokens = task.vocabulary.tokens
    assert "".join(tokens[index] for index in batch.targets[0, :-1].tolist()) in FOODS
    assert tokens[int(batch.targets[0, -1])] == "<eos>"


@given(LINES, st.floats(0.05, 0.9))
def test_running_text_is_cut_at_a_character_and_nothing_is_lost(
    lines: list[str], fraction: float
) -> None:
    data = a_text(lines, "stream")
    options = NextWordOptions(tokenizer="char", validation_fraction=fraction, lowercase=False)

    tokenizer, train, validation, _ = split(data, options)

    whole = [*train.targets.tolist(), *validation.targets.tolist()]
    expected = [token for line in data.lines for token in (*line, "<eos>")]
    assert len(whole) == len(expected)
    known = tokenizer.vocabulary.indices
    assert whole == [known.get(token, 0) for token in expected]


def test_pieces_of_running_text_are_learned_from_the_training_part_alone() -> None:
    data = a_text(["aa aa aa aa aa aa aa"] * 9 + ["bb bb bb bb bb bb bb"], "stream")

    task = next_word.prepare(data, NextWordOptions(tokenizer="bpe")).task

    assert not any("b" in token for token in task.names["words"][2:])


@pytest.mark.parametrize("name", PIECES)
def test_a_task_that_is_restored_reads_alike(name: TokenizerName) -> None:
    task = prepared(name).task
    again = next_word.restore(task.preparation())

    inputs = ["i like eating", "Food7!", ""]
    assert again.encode(inputs).tensor.equal(task.encode(inputs).tensor)
    assert again.names == task.names


def test_words_keep_no_tokenizer_and_what_was_kept_before_is_read() -> None:
    kept = json.loads(prepared("word").task.preparation())
    assert sorted(kept) == ["longest", "lowercase", "sequences", "vocabulary"]

    del kept["longest"]
    older = next_word.restore(json.dumps(kept).encode())

    assert older.encode(["very " * 50]).warnings == [[]]
    assert json.loads(older.preparation()) == kept


@pytest.mark.parametrize("name", ["word", *PIECES])
def test_a_text_unlike_those_of_training_is_told(name: TokenizerName) -> None:
    task = prepared(name).task

    usual, long, unknown = task.encode(["i like food1", "very " * 200, "ξξξ ξξ ξξξ"]).warnings

    assert usual == []
    assert any("longest of training" in each for each in long)
    assert any("unknown to the model" in each for each in unknown)


def test_a_piece_that_begins_a_word_is_answered_with_its_space() -> None:
    task = prepared("bpe").task
    assert isinstance(task, NextWord)
    encoded = task.encode(["i like"])

    logits = task.infer(Counting(len(task.vocabulary)), encoded)
    (prediction,) = task.decode(logits, encoded, top_k=1, special_tokens=False)

    (best,) = prediction.candidates
    assert isinstance(best, TokenCandidate)
    assert best.token.startswith(" l")


@pytest.mark.parametrize("name", PIECES)
def test_what_the_vocabulary_does_not_have_is_named(name: TokenizerName) -> None:
    encoded = prepared(name).task.encode(["i like 밥"])

    assert encoded.unknown == [["밥"]]


@pytest.mark.parametrize("name", PIECES)
def test_a_text_of_which_nothing_is_left_is_refused(name: TokenizerName) -> None:
    with pytest.raises(Invalid) as refused:
        prepared(name, min_count=100_000)

    assert refused.value.errors[0].pointer == "/dataset/min_count"
