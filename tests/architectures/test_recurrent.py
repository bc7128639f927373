"""What all recurrent networks share: both directions, tied words, how matrices begin."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from service.architectures.recurrent import Recurrent, RecurrentClassifier
from service.catalogue import Catalogue
from service.domain.components import Component
from service.domain.problems import Invalid
from service.domain.shapes import END_OF_TEXT, Shape, TextClassShape, TextShape

NAMES = ["rnn", "lstm", "gru"]
TEXT = TextShape(vocabulary_size=7)
CLASSES = TextClassShape(vocabulary_size=7, classes=3)
TOKENS = torch.tensor([[2, 3, 4, END_OF_TEXT], [5, END_OF_TEXT, END_OF_TEXT, END_OF_TEXT]])
CATALOGUE = Catalogue.installed()


def built(name: str, shape: Shape, **options: Any) -> nn.Module:
    given = {"type": name, "hidden_size": 5, "embedding_size": 5, **options}
    return CATALOGUE.build_model(Component.model_validate(given), shape)


def network(name: str, **options: Any) -> Recurrent:
    model = built(name, TEXT, **options)
    assert isinstance(model, Recurrent)
    return model


def classifier(name: str, **options: Any) -> RecurrentClassifier:
    model = built(name, CLASSES, **options)
    assert isinstance(model, RecurrentClassifier)
    return model


def refused(name: str, shape: Shape, **options: Any) -> str:
    with pytest.raises(Invalid) as raised:
        built(name, shape, **options)
    return raised.value.errors[0].pointer


def alone(model: RecurrentClassifier, text: list[int]) -> Tensor:
    """Read one text from both ends, layer by layer, with nothing beside it."""
    rnn = model.rnn
    inputs = torch.tensor(text).unsqueeze(1)
    if rnn.embedding is not None:
        inputs = rnn.embedding(inputs)
    zeros = [torch.zeros(len(rnn.x_0) // len(rnn.layers) // 2, 1, 5)] * 2
    forwards = backwards = inputs
    for layer, backward_layer in zip(rnn.layers, rnn.backward_layers, strict=True):
        forwards, backwards = (
            layer(inputs, zeros[0])[0],
            backward_layer(inputs.flip(0), zeros[1])[0].flip(0),
        )
        inputs = torch.cat([forwards, backwards], dim=-1)
    whole = torch.cat([forwards[-1, 0], backwards[0, 0]])
    return nn.functional.linear(whole, *rnn.output())


@pytest.mark.parametrize("embedding_size", [5, None])
@pytest.mark.parametrize("name", NAMES)
def test_both_directions_read_a_text_from_its_own_ends(
    name: str, embedding_size: int | None
) -> None:
    if name != "rnn" and embedding_size is None:
        assert refused(name, TEXT, embedding_size=None) == "/architecture/embedding_size"
        return
    model = classifier(name, layers=2, bidirectional=True, embedding_size=embedding_size)

    logits = model(nn.functional.pad(TOKENS, (0, 3), value=END_OF_TEXT))

    torch.testing.assert_close(logits[0], alone(model, [2, 3, 4, END_OF_TEXT]))
    torch.testing.assert_close(logits[1], alone(model, [5, END_OF_TEXT]))


@pytest.mark.parametrize("name", NAMES)
def test_tied_words_are_one_matrix_that_is_counted_once(name: str) -> None:
    apart, tied = network(name), network(name, tied_embeddings=True)
    sizes = [sum(p.numel() for p in model.parameters()) for model in (apart, tied)]
    assert sizes[0] - sizes[1] == 7 * 5
    assert "W_yx" not in tied.state_dict()
    assert tied.embedding is not None
    assert tied.output().matrix is tied.embedding.weight

    logits, _ = tied(torch.tensor([[2]]), tied.initial_state(1))
    logits[0, 0, 6].backward()

    gradient = tied.embedding.weight.grad
    assert gradient is not None
    assert gradient[[2, 6]].abs().sum(dim=1).min() > 0  # 2 as what is read, 6 as what is guessed


@pytest.mark.parametrize("name", NAMES)
def test_options_that_do_not_go_together_are_refused(name: str) -> None:
    tied, both = {"tied_embeddings": True}, {"bidirectional": True}

    assert refused(name, TEXT, **tied, embedding_size=4) == "/architecture/embedding_size"
    assert refused(name, CLASSES, **tied) == "/architecture/tied_embeddings"
    assert refused(name, TEXT, **both) == "/architecture/bidirectional"


@pytest.mark.parametrize("name", NAMES)
def test_orthogonal_matrices_are_so_gate_by_gate(name: str) -> None:
    model = network(name, initialization="orthogonal")

    matrices = [p for p in model.layers.parameters() if p.ndim == 2]
    gates = [gate for matrix in matrices for gate in torch.split(matrix.detach(), 5)]

    assert len(gates) == 2 * {"rnn": 1, "lstm": 4, "gru": 3}[name]
    for gate in gates:
        torch.testing.assert_close(gate @ gate.t(), torch.eye(5), atol=1e-5, rtol=0)


@pytest.mark.parametrize("how", ["default", "xavier", "kaiming", "orthogonal", "zeros"])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_begins_as_it_is_told_and_only_zeros_leave_its_units_alike(
    name: str, how: str
) -> None:
    model = network(name, initialization=how, layers=2)
    again = network(name, initialization=how, layers=2)
    spread = [p.detach().std() for p in model.parameters() if p.ndim == 2]

    assert all(
        torch.equal(p, q) for p, q in zip(model.parameters(), again.parameters(), strict=True)
    )
    assert (max(spread) == 0) == (how == "zeros")
    assert (min(spread) == 0) == (how == "zeros")


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_counts_the_numbers_of_the_gates(name: str) -> None:
    gates, biases = {"rnn": (1, 1), "lstm": (4, 2), "gru": (3, 2)}[name]
    model = network(name, hidden_size=6, layers=2)

    first = gates * (6 * 5 + 6 * 6 + biases * 6)
    second = gates * (6 * 6 + 6 * 6 + biases * 6)
    expected = 7 * 5 + first + second + 7 * 6 + 7
    assert sum(p.numel() for p in model.parameters()) == expected


@pytest.mark.parametrize("name", NAMES)
def test_what_the_output_reads_and_the_output_make_the_logits(name: str) -> None:
    model = network(name).eval()
    state = model.initial_state(2)

    hidden, after = model.hidden(TOKENS, state)
    logits, last = model(TOKENS, state)

    assert torch.equal(nn.functional.linear(hidden, *model.output()), logits)
    assert torch.equal(after, last)


@pytest.mark.parametrize("name", NAMES)
def test_dropout_acts_in_training_only(name: str) -> None:
    model = network(name, dropout=0.5)
    start = model.initial_state(2)

    trained, again = (model.train()(TOKENS, start)[0] for _ in range(2))
    logits, same = (model.eval()(TOKENS, start)[0] for _ in range(2))

    assert not torch.equal(trained, again)
    assert torch.equal(logits, same)
