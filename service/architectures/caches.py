"""What a Transformer keeps of a text that it reads on: each new token then costs itself alone.

A cache never changes for who holds it: reading on gives a new one. They share their rooms, which
are filled from the front; so one cache may be read on from again (the first way on is lost then),
but not two ways at once.
"""

from typing import NamedTuple

from torch import Tensor

_LEAST_ROOM = 16


class LayerCache(NamedTuple):
    """What one layer keeps: keys and values (batch, H, room, D), the newest tokens (batch, 1, W).

    The newest token stands, normalised, before each of the two branches: the next one is mixed
    with it.
    """

    keys: Tensor
    values: Tensor
    before_attention: Tensor
    before_mlp: Tensor


class TextCache(NamedTuple):
    """The tokens that are still seen (batch, time), and what each layer keeps of them."""

    tokens: Tensor
    layers: tuple[LayerCache, ...]


def filled(room: Tensor, length: int, new: Tensor) -> Tensor:
    """Put `new` (batch, H, time, D) behind the first `length` of a room; a full one is doubled."""
    needed = length + new.shape[2]
    if needed > room.shape[2]:
        batch, heads, _, width = new.shape
        larger = new.new_empty((batch, heads, max(_LEAST_ROOM, 2 * length, needed), width))
        larger[:, :, :length] = room[:, :, :length]
        room = larger
    room[:, :, length:needed] = new
    return room
