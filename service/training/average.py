"""A running average of the weights (Polyak and Juditsky 1992): it is what validates and is served.

After each step a ← d · a + (1 - d) · w with d = min(decay, (1 + t) / (10 + t)), where t steps are
behind (as TensorFlow does): else the weights of the beginning would stay in the average of a short
training. Running statistics, as those of batch norm, are averaged alike; counters are copied.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

from copy import deepcopy
from itertools import chain

import torch
from torch import nn


class Average:
    """The average as a model of its own, on the device of the one that is trained."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = deepcopy(model).requires_grad_(requires_grad=False)
        self.decay = decay

    @torch.no_grad()
    def follow(self, model: nn.Module, step: int) -> None:
        """Take in the weights after a step; `step` counts those that were before it."""
        kept = min(self.decay, (1 + step) / (10 + step))
        ours, theirs = (chain(each.parameters(), each.buffers()) for each in (self.model, model))
        for average, value in zip(ours, theirs, strict=True):
            if average.is_floating_point():
                average.lerp_(value, 1 - kept)
            else:
                average.copy_(value)
