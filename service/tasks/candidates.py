"""The most probable answers, for every task that chooses among classes or words."""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import math
from typing import NamedTuple, cast

from torch import Tensor


class Candidate(NamedTuple):
    """One answer: its place among the logits, its probability, and ln of that."""

    place: int
    probability: float
    logprob: float


def most_probable(logits: Tensor, *, top_k: int, skip: int = 0) -> list[list[Candidate]]:
    """Return per row the places with the largest probabilities, best first.

    The first `skip` places are left out of the answer, but keep their share of the probability.
    """
    best = logits[:, skip:].topk(min(top_k, logits.shape[-1] - skip), dim=-1)
    logs = best.values.double() - logits.logsumexp(dim=-1, keepdim=True).double()
    values = cast("list[list[float]]", logs.tolist())
    places = cast("list[list[int]]", best.indices.tolist())
    return [
        [
            Candidate(place + skip, math.exp(value), value)
            for place, value in zip(row, found, strict=True)
        ]
        for row, found in zip(places, values, strict=True)
    ]
