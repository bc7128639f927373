"""What recurrent networks have read lately: the same answers, with less to read."""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import gc
from collections.abc import Callable
from typing import Any, cast
from weakref import ref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from service.catalogue import Catalogue
from service.domain.components import Component
from service.domain.shapes import TextShape
from service.tasks import prefixes
from service.tasks.base import bare
from service.tasks.prefixes import MAX_LENGTH, Prefixes, prefixes_of, remember, work_of
from service.tasks.texts import last_logits

CATALOGUE = Catalogue.installed()
SHAPE = TextShape(kind="text", vocabulary_size=60)
ARCHITECTURES: list[dict[str, Any]] = [
    {"type": "rnn", "hidden_size": 6},
    {"type": "rnn", "hidden_size": 6, "embedding_size": None},
    {"type": "gru", "hidden_size": 6, "layers": 2},
    {"type": "lstm", "hidden_size": 6, "embedding_size": 6, "tied_embeddings": True},
    {"type": "lstm", "hidden_size": 6, "layers": 2},
]


def built(options: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    model = CATALOGUE.build_model(Component.model_validate(options), SHAPE)
    return model.eval().requires_grad_(requires_grad=False)


def lengths_read(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Note the size (batch, time) of whatever the model reads from now on."""
    read: list[tuple[int, int]] = []
    hidden = cast("Callable[..., Any]", model.hidden)

    def noted(tokens: Tensor, state: Tensor) -> Any:
        read.append((tokens.shape[0], tokens.shape[1]))
        return hidden(tokens, state)

    monkeypatch.setattr(model, "hidden", noted)
    return read


@pytest.mark.parametrize("options", ARCHITECTURES, ids=str)
@given(asked=st.data())
def test_the_answers_are_those_of_a_model_that_remembers_nothing(
    options: dict[str, Any], asked: st.DataObject
) -> None:
    model, forgetful = built(options), built(options)
    remember(model)
    for _ in range(4):
        length = asked.draw(st.integers(1, 4))
        text = st.lists(st.integers(0, 1), min_size=length, max_size=length)
        tokens = torch.tensor(asked.draw(st.lists(text, min_size=1, max_size=4)))

        expected = last_logits(forgetful, tokens, 100)

        torch.testing.assert_close(last_logits(model, tokens, 100), expected)


def test_a_word_more_is_read_alone_and_the_same_text_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = built({"type": "lstm", "hidden_size": 6})
    remember(model)
    read = lengths_read(model, monkeypatch)

    for text in ([0, 2, 3], [0, 2, 3, 4], [0, 2, 3, 4], [0, 2, 3]):
        last_logits(model, torch.tensor([text]), 100)

    assert read == [(1, 3), (1, 1)]


def test_of_texts_together_each_is_read_as_far_as_it_is_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = built({"type": "gru", "hidden_size": 6})
    remember(model)
    last_logits(model, torch.tensor([[0, 2], [0, 3]]), 100)
    last_logits(model, torch.tensor([[0, 2, 2]]), 100)
    read = lengths_read(model, monkeypatch)

    texts = torch.tensor([[0, 2, 2], [0, 2, 3], [0, 3, 3], [0, 4, 4], [0, 4, 4]])
    last_logits(model, texts, 100)

    assert sorted(read) == [(1, 3), (2, 1)]


def test_what_was_not_asked_for_the_longest_time_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = built({"type": "rnn", "hidden_size": 6})
    kept = Prefixes(model, max_bytes=2 * (2 * 6 * 4 + 4 * MAX_LENGTH + 256))
    read = lengths_read(model, monkeypatch)

    for text in ([1, 1], [2, 2], [1, 1], [3, 3], [1, 1], [2, 2]):
        kept.read(model, torch.tensor([text]), 100)

    assert (kept.places, len(read)) == (2, 4)


@given(asked=st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=5), max_size=8))
def test_few_places_answer_the_same(asked: list[list[int]]) -> None:
    model = built({"type": "lstm", "hidden_size": 6})
    kept = Prefixes(model, max_bytes=3 * (3 * 6 * 4 + 4 * MAX_LENGTH + 256))
    for numbers in asked:
        tokens = torch.tensor([[0, number % 3, number % 2] for number in numbers])

        found = kept.read(model, tokens, 100)

        expected, _ = model.hidden(tokens, model.initial_state(len(tokens)))
        torch.testing.assert_close(found, expected[:, -1])


def test_new_texts_are_read_window_by_window(monkeypatch: pytest.MonkeyPatch) -> None:
    model = built({"type": "gru", "hidden_size": 6})
    remember(model)
    read = lengths_read(model, monkeypatch)

    last_logits(model, torch.tensor([[0, 1, 2, 3, 4], [0, 2, 3, 4, 1]]), 2)

    assert read == [(2, 2), (2, 2), (2, 1)]


def test_work_is_what_is_still_to_be_read() -> None:
    model = built({"type": "lstm", "hidden_size": 6})
    plain = bare(torch.tensor([[0, 1, 2], [0, 2, 2]]))
    assert work_of(model, plain) == 6
    remember(model)
    assert work_of(model, plain) == 6

    last_logits(model, torch.tensor([[0, 1, 2], [0, 1, 1]]), 100)

    assert work_of(model, plain) == 1 + 3
    assert work_of(model, bare(torch.tensor([[0, 1, 2, 2]]))) == 1
    padded = bare(torch.tensor([[0, 1, 2, 0, 0]]))._replace(lengths=[3])
    assert work_of(model, padded) == 1
    long = bare(torch.zeros(1, MAX_LENGTH + 1, dtype=torch.long))
    assert work_of(model, long) == MAX_LENGTH + 1


def test_no_more_is_kept_than_the_model_takes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    model = built({"type": "rnn", "hidden_size": 6})

    assert remember(model) == sum(each.nbytes for each in model.parameters())

    monkeypatch.setattr(prefixes, "MAX_BYTES", 100)
    assert remember(built({"type": "rnn", "hidden_size": 6})) == 0


def test_only_recurrent_networks_remember_and_only_when_told() -> None:
    transformer = built({"type": "transformer", "layers": 1, "heads": 1, "width": 8})

    assert remember(transformer) == 0
    assert prefixes_of(transformer, 3) is None
    assert prefixes_of(built({"type": "rnn"}), 3) is None


def test_long_texts_are_not_kept() -> None:
    model = built({"type": "rnn", "hidden_size": 6})
    remember(model)

    assert prefixes_of(model, MAX_LENGTH) is not None
    assert prefixes_of(model, MAX_LENGTH + 1) is None


def test_what_a_model_remembers_goes_with_it() -> None:
    model = built({"type": "rnn", "hidden_size": 6})
    remember(model)
    last_logits(model, torch.tensor([[0, 1]]), 100)
    kept = ref(cast("Prefixes", prefixes_of(model, 2)))

    del model
    gc.collect()

    assert kept() is None
