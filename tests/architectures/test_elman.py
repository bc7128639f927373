"""The recurrence that is one function against a loop written from its formula."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

import pytest
import torch
from torch import Tensor

from service.architectures.elman import ElmanActivation, elman

SIGMA = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}
ACTIVATIONS = list(SIGMA)
HIDDEN = 4

Inputs = tuple[Tensor, Tensor, Tensor]


def tensors(time: int, batch: int) -> Inputs:
    """Return d, x_0 and W."""
    generator = torch.Generator().manual_seed(time)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    return drawn(time, batch, HIDDEN), drawn(batch, HIDDEN), drawn(HIDDEN, HIDDEN)


def loop(driven: Tensor, x: Tensor, matrix: Tensor, activation: str) -> Tensor:
    states: list[Tensor] = []
    for driven_t in driven:
        x = SIGMA[activation](x @ matrix.t() + driven_t)
        states.append(x)
    return torch.stack(states)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("time", "batch"), [(1, 1), (1, 3), (2, 1), (7, 3)])
def test_states_and_gradients_are_those_of_the_loop(
    time: int, batch: int, activation: ElmanActivation
) -> None:
    inputs = tensors(time, batch)
    weights = torch.randn(time, batch, HIDDEN, dtype=torch.float64)

    ours, theirs = elman(*inputs, activation), loop(*inputs, activation)

    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad((ours * weights).sum(), inputs),
        torch.autograd.grad((theirs * weights).sum(), inputs),
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_gradients_are_those_of_finite_differences(activation: ElmanActivation) -> None:
    def states(driven: Tensor, first: Tensor, matrix: Tensor) -> Tensor:
        return elman(driven, first, matrix, activation)

    assert torch.autograd.gradcheck(states, tensors(3, 2))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_same_inputs_give_the_same_bits(activation: ElmanActivation) -> None:
    inputs = tuple(each.detach().float().requires_grad_() for each in tensors(7, 3))

    first, again = (
        torch.autograd.grad(elman(inputs[0], inputs[1], inputs[2], activation).sum(), inputs)
        for _ in range(2)
    )

    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_only_the_last_state_may_be_wanted() -> None:
    inputs = tensors(5, 2)

    ours = torch.autograd.grad(elman(*inputs, "tanh")[-1].sum(), inputs)

    torch.testing.assert_close(ours, torch.autograd.grad(loop(*inputs, "tanh")[-1].sum(), inputs))
