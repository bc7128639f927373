"""How long models take: learned from what they took for so much at a time."""

from math import inf
from weakref import WeakKeyDictionary

from torch import nn

_SLOWER = 1.25
"""One slow moment of the machine must not count for more."""


class Costs:
    """Remembers seconds by model and by size, to the next power of two."""

    def __init__(self) -> None:
        self._took = WeakKeyDictionary[nn.Module, dict[int, float]]()

    def expected(self, model: nn.Module, size: int) -> float:
        """Return the seconds for an input of so many elements; inf if it was never that large."""
        return self._took.get(model, {}).get(size.bit_length(), inf)

    def learn(self, model: nn.Module, size: int, seconds: float) -> None:
        """Remember what it took."""
        took = self._took.setdefault(model, {})
        key = size.bit_length()
        took[key] = min(seconds, _SLOWER * took.get(key, inf))
