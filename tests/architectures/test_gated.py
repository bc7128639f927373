"""LSTM and GRU against their gates written out, torch.nn and finite differences."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from service.architectures import gru, lstm
from service.architectures.recurrent import Recurrent
from service.domain.shapes import TextShape

VOCABULARY = 7
TOKENS = torch.tensor([[1, 4, 2, 6], [3, 3, 0, 5]])
TORCH = {"lstm": nn.LSTM, "gru": nn.GRU}


def a_network(name: str, **options: object) -> Recurrent:
    torch.manual_seed(0)
    shape = TextShape(vocabulary_size=VOCABULARY)
    given = {"hidden_size": 5, "embedding_size": 4, **options}
    if name == "lstm":
        network = lstm.build(lstm.LstmConfig.model_validate(given), shape)
    else:
        network = gru.build(gru.GruConfig.model_validate(given), shape)
    assert isinstance(network, Recurrent)
    for parameter in network.parameters():  # biases too: zeros would hide a missing one
        nn.init.normal_(parameter, std=0.5)
    return network.double()


def a_state(network: Recurrent) -> Tensor:
    return torch.randn_like(network.initial_state(2))


def weights_of(network: Recurrent, layer: int, name: str) -> dict[str, Tensor]:
    prefix = f"layers.{layer}.{name}."
    found = network.state_dict()
    return {key.removeprefix(prefix): found[key] for key in found if key.startswith(prefix)}


def gates(w: Mapping[str, Tensor], u: Tensor, h: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return what input and state say to each gate."""
    inputs = w["weight_ih_l0"] @ u + w["bias_ih_l0"]
    states = w["weight_hh_l0"] @ h + w["bias_hh_l0"]
    return list(torch.split(inputs, 5)), list(torch.split(states, 5))


def lstm_step(w: Mapping[str, Tensor], u: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    i, f, g, o = (one + other for one, other in zip(*gates(w, u, h), strict=True))
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_step(w: Mapping[str, Tensor], u: Tensor, h: Tensor) -> Tensor:
    (r_u, z_u, n_u), (r_h, z_h, n_h) = gates(w, u, h)
    z = torch.sigmoid(z_u + z_h)
    n = torch.tanh(n_u + torch.sigmoid(r_u + r_h) * n_h)
    return (1 - z) * n + z * h


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_the_network_computes_its_gates(name: str) -> None:
    network = a_network(name)
    start = a_state(network)
    w, rest = weights_of(network, 0, name), network.state_dict()

    logits, state = network(TOKENS, start)

    for row in range(2):
        parts = list(start[:, row])
        for t in range(4):
            u = rest["embedding.weight"][TOKENS[row, t]]
            if name == "lstm":
                parts = list(lstm_step(w, u, parts[0], parts[1]))
            else:
                parts = [gru_step(w, u, parts[0])]
            torch.testing.assert_close(logits[row, t], rest["W_yx"] @ parts[0] + rest["b_y"])
        torch.testing.assert_close(state[:, row], torch.stack(parts))


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_the_network_agrees_with_torch(name: str, layers: int) -> None:
    network = a_network(name, layers=layers)
    reference = TORCH[name](4, 5, num_layers=layers, batch_first=True).double()
    for layer in range(layers):
        for key, value in weights_of(network, layer, name).items():
            reference.get_parameter(key.replace("l0", f"l{layer}")).data.copy_(value)
    start = a_state(network)
    parts = (start[::2].contiguous(), start[1::2].contiguous()) if name == "lstm" else start

    states, last = reference(network.state_dict()["embedding.weight"][TOKENS], parts)
    logits, state = network(TOKENS, start)

    torch.testing.assert_close(logits, nn.functional.linear(states, *network.output()))
    torch.testing.assert_close(state[:: len(state) // layers], last[0] if name == "lstm" else last)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_the_gradients_are_those_of_finite_differences(name: str) -> None:
    network = a_network(name, layers=2, hidden_size=2, embedding_size=2)
    names = [key for key, _ in network.named_parameters()]

    def outputs(start: Tensor, *values: Tensor) -> tuple[Tensor, Tensor]:
        parameters = dict(zip(names, values, strict=True))
        return torch.func.functional_call(network, parameters, (TOKENS[:, :3], start))

    start = a_state(network).requires_grad_()
    assert torch.autograd.gradcheck(outputs, (start, *network.parameters()))


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_carried_state_continues_the_sequence(name: str) -> None:
    network = a_network(name, layers=2)

    whole, end = network(TOKENS, network.initial_state(2))
    first, state = network(TOKENS[:, :2], network.initial_state(2))
    second, last = network(TOKENS[:, 2:], state)

    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(last, end)


def test_the_forget_gate_begins_open_and_no_other() -> None:
    layer = lstm.LstmLayer(4, 5)

    i, f, g, o = torch.split(layer.lstm.get_parameter("bias_ih_l0"), 5)

    assert f.tolist() == [1.0] * 5
    assert torch.cat([i, g, o, layer.lstm.get_parameter("bias_hh_l0")]).abs().sum() == 0
