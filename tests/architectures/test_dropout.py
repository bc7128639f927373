"""Dropout: how many are left out, that the mean stays, and that the mask alone is drawn."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

import pytest
import torch
from torch import nn

from service.architectures.dropout import Dropout

COUNT = 200_003  # no multiple of what one draw is for


def dropped(p: float, *, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    torch.manual_seed(seed)
    return Dropout(p)(torch.ones(COUNT, dtype=dtype))


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_so_many_are_left_out_and_the_others_make_up_for_them(p: float) -> None:
    values = dropped(p)

    deviation = (p * (1 - p) / COUNT) ** 0.5
    assert (values == 0).double().mean().item() == pytest.approx(p, abs=5 * deviation)
    assert values[values != 0].unique().tolist() == pytest.approx([1 / (1 - p)], rel=1e-3)
    assert values.mean().item() == pytest.approx(1, abs=5 * deviation / (1 - p))


def test_neighbours_are_left_out_independently() -> None:
    kept = (dropped(0.5) != 0).double() - 0.5

    for distance in range(1, 9):
        together = (kept[:-distance] * kept[distance:]).mean().item()
        assert abs(together) < 5 * 0.25 / COUNT**0.5


def test_the_same_state_of_the_generator_draws_the_same() -> None:
    assert torch.equal(dropped(0.3), dropped(0.3))
    assert not torch.equal(dropped(0.3), dropped(0.3, seed=1))


@pytest.mark.parametrize("p", [1e-9, 1 - 1e-9])
def test_the_rarest_chances_stay_finite(p: float) -> None:
    assert dropped(p).isfinite().all()


def test_what_does_not_train_is_left_alone() -> None:
    values, state = torch.randn(3, 4), torch.get_rng_state()

    assert Dropout(0.5).eval()(values) is values
    assert Dropout(0.0)(values) is values
    assert torch.equal(torch.get_rng_state(), state)


def test_gradients_flow_where_values_do() -> None:
    values = torch.randn(50, 7, requires_grad=True)

    left = Dropout(0.5)(values)
    left.sum().backward()

    assert values.grad is not None
    assert torch.equal(values.grad == 0, left == 0)
    assert values.grad.unique().tolist() == [0.0, 2.0]


def test_other_layouts_and_types_keep_theirs() -> None:
    images = torch.randn(2, 3, 5, 5).to(memory_format=torch.channels_last)

    assert Dropout(0.5)(images).shape == images.shape
    assert dropped(0.5, dtype=torch.bfloat16).dtype == torch.bfloat16
    assert dropped(0.5, dtype=torch.float64).dtype == torch.float64


def test_a_batch_of_nothing_has_nothing_to_leave_out() -> None:
    assert nn.Sequential(Dropout(0.5))(torch.empty(0, 3)).shape == (0, 3)
