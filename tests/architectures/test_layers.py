"""Layers that several architectures are made of."""

import pytest
import torch
from torch import nn

from service.architectures.layers import BatchNorm1d, BatchNorm2d


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (BatchNorm1d(3), nn.BatchNorm1d(3), (5, 3)),
        (BatchNorm2d(3), nn.BatchNorm2d(3), (5, 3, 2, 2)),
        (BatchNorm2d(3), nn.BatchNorm2d(3), (1, 3, 2, 2)),
    ],
)
def test_batch_norm_is_that_of_torch(
    ours: nn.Module, theirs: nn.Module, shape: tuple[int, ...]
) -> None:
    values = torch.randn(shape)
    torch.testing.assert_close(ours(values), theirs(values), rtol=0, atol=0)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("norm", "shape"), [(BatchNorm1d(3), (1, 3)), (BatchNorm2d(3), (1, 3, 1, 1))]
)
def test_the_last_batch_of_an_epoch_may_have_one_example(
    norm: nn.Module, shape: tuple[int, ...]
) -> None:
    norm(torch.randn(shape).expand(4, *shape[1:]) + torch.randn(4, *shape[1:]))
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    one = torch.randn(shape, requires_grad=True)

    normalised = norm(one)
    normalised.sum().backward()

    assert one.grad is not None
    torch.testing.assert_close(normalised, norm.eval()(one))
    torch.testing.assert_close(norm.state_dict(), before, rtol=0, atol=0)
