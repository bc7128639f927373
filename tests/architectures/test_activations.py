"""Activations by name, and the gradient that `step` passes straight through."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

import torch

from service.architectures.activations import ACTIVATIONS, Step


def test_every_activation_keeps_shape_and_dtype() -> None:
    values = torch.linspace(-3, 3, 7, dtype=torch.float64)

    for activation in ACTIVATIONS.values():
        result = activation()(values)
        assert (result.shape, result.dtype) == (values.shape, values.dtype)


def test_step_is_one_above_zero_and_zero_elsewhere() -> None:
    assert Step()(torch.tensor([-2.0, 0.0, 1e-9, 3.0])).tolist() == [0, 0, 1, 1]


def test_the_gradient_of_step_passes_near_the_threshold_and_stops_far_from_it() -> None:
    values = torch.tensor([-2.0, -1.0, 0.5, 1.5], requires_grad=True)

    (Step()(values) * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()

    assert values.grad is not None
    assert values.grad.tolist() == [0, 2, 3, 0]
