"""The order of the examples of an epoch: a function of (seed, epoch), of nothing else."""

import hashlib

import torch
from torch import Tensor


class EpochOrder:
    """Permutations of `count` examples; the last one made is kept, for the rest of its epoch."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._made_for: tuple[int, int] | None = None
        self._order = torch.arange(0)

    def batch(self, *, epoch: int, position: int, batch_size: int, seed: int) -> Tensor:
        """Return which examples stand at batch `position` of the epoch."""
        if self._made_for != (seed, epoch):
            self._order = permutation(self.count, seed=seed, epoch=epoch)
            self._made_for = (seed, epoch)
        return self._order[position * batch_size : (position + 1) * batch_size]


def permutation(count: int, *, seed: int, epoch: int) -> Tensor:
    """Shuffle 0 … count-1 with a generator of its own; no global random state is touched."""
    # Hashed, because seed + epoch would give job 1 in epoch 0 the order of job 0 in epoch 1.
    digest = hashlib.sha256(f"{seed} {epoch}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7]))
    return torch.randperm(count, generator=generator)
