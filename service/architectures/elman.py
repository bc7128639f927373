"""The recurrence x_t = σ(W x_{t-1} + d_t) as one function, forwards and backwards in time.

For a small network a loop of torch's operations costs more for remembering each than for computing
it. Here no step is remembered but its state, from which the slope of σ is known, and the gradient
of W is one product over all of time instead of a sum of one for each step.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ElmanActivation = Literal["tanh", "relu", "sigmoid"]


class _Sigma(NamedTuple):
    """σ in place, and its slope where its value is x."""

    act: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


def _of_tanh(x: Tensor) -> Tensor:
    return (x * x).neg_().add_(1)


def _of_relu(x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype)


def _of_sigmoid(x: Tensor) -> Tensor:
    return (1 - x).mul_(x)


_SIGMA: dict[ElmanActivation, _Sigma] = {
    "tanh": _Sigma(torch.tanh_, _of_tanh),
    "relu": _Sigma(torch.relu_, _of_relu),
    "sigmoid": _Sigma(torch.sigmoid_, _of_sigmoid),
}


def elman(driven: Tensor, first: Tensor, matrix: Tensor, activation: ElmanActivation) -> Tensor:
    """Return x_1, x_2, … (time, batch, hidden) of d (time, batch, hidden), x_0 (batch, hidden), W.

    Only once differentiable.
    """
    return cast("Tensor", _Elman.apply(driven, first, matrix, activation))


class _Elman(torch.autograd.Function):
    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, driven: Tensor, first: Tensor, matrix: Tensor, activation: ElmanActivation
    ) -> Tensor:
        states = driven.clone()
        act, turned, x = _SIGMA[activation].act, matrix.t(), first
        for driven_t in states.unbind(0):
            x = act(driven_t.addmm_(x, turned))
        ctx.activation = activation
        ctx.save_for_backward(states, first, matrix)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        states, first, matrix = cast("tuple[Tensor, Tensor, Tensor]", ctx.saved_tensors)
        slopes = _SIGMA[ctx.activation].slope(states).unbind(0)
        errors = gradient.clone()  # of W x_{t-1} + d_t, when all is done
        parts = errors.unbind(0)
        later = parts[-1].mul_(slopes[-1])
        for error, slope in zip(parts[-2::-1], slopes[-2::-1], strict=True):
            later = error.addmm_(later, matrix).mul_(slope)
        of_matrix = later.t() @ first
        if len(parts) > 1:
            of_matrix.addmm_(errors[1:].flatten(0, 1).t(), states[:-1].flatten(0, 1))
        return errors, later @ matrix, of_matrix, None

    @staticmethod
    def symbolic(g: Any, driven: Any, first: Any, matrix: Any, activation: ElmanActivation) -> Any:
        """Write it for ONNX, where d goes through a matrix, too, which is 1 here."""
        size = matrix.type().sizes()[0]
        turned = [g.op("Unsqueeze", each, _axis(g, 0)) for each in (matrix, first)]
        absent = g.op("prim::Constant")  # the lengths of texts: all are as long as the batch
        absent.setType(torch.OptionalType.ofTensor())
        states, _ = g.op(
            "RNN",
            driven,
            g.op("Constant", value_t=torch.eye(size).unsqueeze(0)),
            turned[0],
            g.op("Constant", value_t=torch.zeros(1, 2 * size)),
            absent,
            turned[1],
            activations_s=[activation.capitalize()],
            hidden_size_i=size,
            outputs=2,
        )
        return g.op("Squeeze", states, _axis(g, 1))


def _axis(g: Any, axis: int) -> Any:
    return g.op("Constant", value_t=torch.tensor([axis]))
