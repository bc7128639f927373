"""Choosing the next token from its logits: temperature, penalty, the most probable ones, chance.

The order is the usual one: repetition penalty (Keskar et al. 2019), temperature, top-k (Fan et al.
2018), top-p (Holtzman et al. 2020), then a draw.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

from typing import NamedTuple, cast

import torch
from torch import Tensor

from service.domain.generations import GenerateRequest

_LARGEST = 1e300


class Chosen(NamedTuple):
    """A token, and ln of the probability that the model gave it."""

    token: int
    logprob: float


class Sampler:
    """Draws tokens for one text; equal seeds and logits draw equal ones."""

    def __init__(self, asked: GenerateRequest, *, seed: int, never: int) -> None:
        self._asked = asked
        self._never = never
        self._generator = torch.Generator().manual_seed(seed)

    def choose(self, logits: Tensor, seen: Tensor) -> Chosen:
        """Choose by logits (vocabulary,); `seen` are the tokens of the text so far.

        Tokens before `never` are not chosen, whatever their share.
        """
        logits = logits.double()
        logs = logits.log_softmax(dim=0)
        allowed = self._penalised(logits, seen)
        allowed[: self._never] = -torch.inf
        token = self._best(allowed) if self._asked.temperature == 0 else self._draw(allowed)
        return Chosen(token, logs[token].item())

    def _penalised(self, logits: Tensor, seen: Tensor) -> Tensor:
        penalty = self._asked.repetition_penalty
        if penalty == 1 or not len(seen):
            return logits.clone()
        of_seen = logits[seen]
        weaker = torch.where(of_seen > 0, of_seen / penalty, of_seen * penalty)
        # Of next to no penalty infinity would come, and of two infinities no difference.
        return logits.index_put((seen,), weaker.clamp(-_LARGEST, _LARGEST))

    @staticmethod
    def _best(logits: Tensor) -> int:
        return int(logits.argmax())

    def _draw(self, logits: Tensor) -> int:
        asked = self._asked
        # Less the largest: next to no temperature would make it infinite.
        scaled = (logits - logits.max()) / asked.temperature
        ordered, order = scaled.sort(descending=True, stable=True)
        if asked.top_k is not None:
            ordered, order = ordered[: asked.top_k], order[: asked.top_k]
        shares = ordered.softmax(dim=0)
        if asked.top_p < 1:
            # The one that passes top_p is in: at least one always is.
            fewest = int((shares.cumsum(dim=0) < asked.top_p).sum()) + 1
            shares = shares[:fewest]
        drawn = torch.multinomial(shares, 1, generator=self._generator)
        return cast("int", order[drawn].item())
