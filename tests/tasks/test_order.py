"""The order of an epoch is a function of (seed, epoch)."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# torch leaves tolist untyped.

import torch
from hypothesis import given
from hypothesis import strategies as st

from service.domain.requests import SEED_MAX
from service.tasks.order import EpochOrder, permutation

SEEDS = st.integers(0, SEED_MAX)


@given(st.integers(1, 50), SEEDS, st.integers(0, 1000), st.integers(1, 60))
def test_the_batches_of_an_epoch_hold_every_example_once(
    count: int, seed: int, epoch: int, batch_size: int
) -> None:
    order = EpochOrder(count)
    positions = range(-(-count // batch_size))
    batches = [
        order.batch(epoch=epoch, position=position, batch_size=batch_size, seed=seed)
        for position in positions
    ]
    assert sorted(torch.cat(batches).tolist()) == list(range(count))


def test_a_resume_in_the_middle_finds_the_same_batch() -> None:
    asked = {"epoch": 3, "position": 2, "batch_size": 4, "seed": 7}
    resumed = EpochOrder(20).batch(**asked)
    order = EpochOrder(20)
    order.batch(epoch=2, position=0, batch_size=4, seed=7)
    assert order.batch(**asked).tolist() == resumed.tolist()


def test_seeds_and_epochs_give_orders_of_their_own() -> None:
    orders = {
        tuple(permutation(30, seed=seed, epoch=epoch).tolist())
        for seed in range(5)
        for epoch in range(5)
    }
    assert len(orders) == 25


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    permutation(30, seed=1, epoch=1)
    assert torch.equal(before, torch.get_rng_state())
