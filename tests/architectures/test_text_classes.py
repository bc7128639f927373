"""Whole texts to logits of classes: what a text is padded with changes nothing."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

import pytest
import torch
from torch import nn

from service.architectures import gru, lstm, mlp, rnn
from service.architectures.recurrent import RecurrentClassifier
from service.domain.shapes import END_OF_TEXT, TextClassShape

SHAPE = TextClassShape(vocabulary_size=7, classes=3)
TOKENS = torch.tensor([[2, 3, 4, END_OF_TEXT], [5, END_OF_TEXT, END_OF_TEXT, END_OF_TEXT]])


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    match name:
        case "rnn":
            return rnn.build(rnn.RnnConfig(hidden_size=5, layers=2), SHAPE)
        case "lstm":
            return lstm.build(lstm.LstmConfig(hidden_size=5, embedding_size=4, layers=2), SHAPE)
        case "gru":
            config = gru.GruConfig(hidden_size=5, embedding_size=4, layers=2, bidirectional=True)
            return gru.build(config, SHAPE)
        case _:
            config = mlp.MlpConfig(hidden_sizes=(5,), embedding_size=4, activation="tanh")
            return mlp.build(config, SHAPE)


@pytest.mark.parametrize("name", ["mlp", "rnn", "lstm", "gru"])
def test_a_text_has_the_same_logits_however_long_its_neighbours_are(name: str) -> None:
    model = build(name)

    alone = model(TOKENS[1:, :2])

    assert alone.shape == (1, 3)
    torch.testing.assert_close(model(TOKENS)[1:], alone)
    torch.testing.assert_close(model(nn.functional.pad(TOKENS, (0, 9), value=1))[1:], alone)


def test_the_perceptron_sees_the_sum_of_the_words_before_the_end_by_the_root_of_their_number() -> (
    None
):
    bag = mlp.BagOfWords(7, 4)

    seen = bag(torch.tensor([[2, 4, END_OF_TEXT], [END_OF_TEXT] * 3]))

    torch.testing.assert_close(seen[0], bag.embedding.weight[[2, 4]].sum(dim=0) / 2**0.5)
    assert seen[1].tolist() == [0.0] * 4


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_the_state_after_the_end_of_a_text_is_read_by_the_output_layer(name: str) -> None:
    model = build(name)
    assert isinstance(model, RecurrentClassifier)

    each_step, _ = model.rnn(TOKENS, model.rnn.initial_state(2))

    torch.testing.assert_close(model(TOKENS), torch.stack([each_step[0, 3], each_step[1, 1]]))


@pytest.mark.parametrize("name", ["mlp", "rnn", "lstm", "gru"])
def test_a_word_beside_the_end_of_another_text_has_no_gradient_there(name: str) -> None:
    model = build(name)

    model(TOKENS)[1].sum().backward()

    table = next(p for p in model.parameters() if 7 in p.shape)
    touched = (
        table.grad.abs().sum(dim=1 - list(table.shape).index(7)) if table.grad is not None else None
    )
    assert touched is not None
    assert touched[[2, 3, 4, 6]].tolist() == [0.0] * 4
    assert touched[5] > 0
