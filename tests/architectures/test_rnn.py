"""The RNN against its formula, against torch.nn.RNN, and against finite differences."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

import pytest
import torch
from torch import Tensor, nn

from service.architectures.recurrent import Recurrent
from service.architectures.rnn import RnnConfig, build
from service.domain.shapes import TextShape

VOCABULARY = 7
TOKENS = torch.tensor([[1, 4, 2, 6], [3, 3, 0, 5]])


def a_network(**options: object) -> Recurrent:
    torch.manual_seed(0)
    config = RnnConfig.model_validate({"hidden_size": 5, **options})
    network = build(config, TextShape(vocabulary_size=VOCABULARY))
    assert isinstance(network, Recurrent)
    for parameter in network.parameters():  # biases too: zeros would hide a missing one
        nn.init.normal_(parameter, std=0.5)
    return network.double()


def weights_of(network: Recurrent) -> dict[str, Tensor]:
    return {name: weight.detach() for name, weight in network.state_dict().items()}


def test_the_names_of_the_weights_are_those_of_the_formula() -> None:
    shapes = {name: tuple(weight.shape) for name, weight in weights_of(a_network()).items()}

    assert shapes == {
        "layers.0.W_xx": (5, 5),
        "layers.0.W_xu": (5, VOCABULARY),
        "layers.0.b_x": (5,),
        "W_yx": (VOCABULARY, 5),
        "b_y": (VOCABULARY,),
    }


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_the_network_computes_the_formula(activation: str) -> None:
    network = a_network(activation=activation, initial_state="ones")
    w = weights_of(network)
    sigma = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}[activation]

    logits, state = network(TOKENS, network.initial_state(2))

    for row in range(2):
        x = torch.ones(5, dtype=torch.float64)
        for t in range(4):
            u = nn.functional.one_hot(TOKENS[row, t], VOCABULARY).double()
            x = sigma(w["layers.0.W_xx"] @ x + w["layers.0.W_xu"] @ u + w["layers.0.b_x"])
            torch.testing.assert_close(logits[row, t], w["W_yx"] @ x + w["b_y"])
        torch.testing.assert_close(state[0, row], x)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("embedding_size", [None, 4])
def test_the_network_agrees_with_torch(layers: int, embedding_size: int | None) -> None:
    network = a_network(layers=layers, embedding_size=embedding_size, initial_state="learned")
    w = weights_of(network)
    inputs = nn.functional.one_hot(TOKENS, VOCABULARY).double()
    if embedding_size is not None:
        inputs = w["embedding.weight"][TOKENS]
    reference = nn.RNN(inputs.shape[-1], 5, num_layers=layers, batch_first=True).double()
    for layer in range(layers):
        values = {
            f"weight_ih_l{layer}": w[f"layers.{layer}.W_xu"],
            f"weight_hh_l{layer}": w[f"layers.{layer}.W_xx"],
            f"bias_ih_l{layer}": w[f"layers.{layer}.b_x"],
            f"bias_hh_l{layer}": torch.zeros(5, dtype=torch.float64),
        }
        reference.load_state_dict(values, strict=False)
    start = network.initial_state(2)

    states, last = reference(inputs, start.contiguous())
    logits, state = network(TOKENS, start)

    torch.testing.assert_close(logits, states @ w["W_yx"].t() + w["b_y"])
    torch.testing.assert_close(state, last)


def test_the_gradients_are_those_of_finite_differences() -> None:
    network = a_network(layers=2, initial_state="learned")
    names = [name for name, _ in network.named_parameters()]

    def logits(*values: Tensor) -> Tensor:
        parameters = dict(zip(names, values, strict=True))
        start = parameters["x_0"].unsqueeze(1).expand(-1, 2, -1)
        return torch.func.functional_call(network, parameters, (TOKENS, start))[0]

    assert torch.autograd.gradcheck(logits, tuple(network.parameters()))


def test_a_carried_state_continues_the_sequence() -> None:
    network = a_network(layers=2)

    whole, _ = network(TOKENS, network.initial_state(2))
    first, state = network(TOKENS[:, :2], network.initial_state(2))
    second, _ = network(TOKENS[:, 2:], state)

    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)


def test_a_normal_initial_state_is_drawn_once_and_travels_with_the_weights() -> None:
    network, other = a_network(initial_state="normal"), a_network(initial_state="normal")
    nn.init.zeros_(other.x_0)
    assert "x_0" not in dict(network.named_parameters())
    assert torch.equal(network.initial_state(2), network.initial_state(2))
    assert network.initial_state(1).abs().sum() > 0

    other.load_state_dict(network.state_dict())

    assert torch.equal(other.initial_state(3), network.initial_state(3))


def test_dropout_acts_in_training_only_and_never_in_time() -> None:
    network = a_network(dropout=0.5)
    start = network.initial_state(2)
    _, state = network.train()(TOKENS, start)
    training = network(TOKENS, start)[0]
    logits, state_without = network.eval()(TOKENS, start)

    assert not torch.equal(training, logits)
    assert torch.equal(state, state_without)
