"""The most probable answers, for every task that chooses among classes or words."""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import math
from typing import NamedTuple, cast

import numpy as np
from torch import Tensor

_FEW = 256
"""Logits of a row that numpy sorts before torch has begun to."""


class Candidate(NamedTuple):
    """One answer: its place among the logits, its probability, and ln of that."""

    place: int
    probability: float
    logprob: float


def most_probable(logits: Tensor, *, top_k: int, skip: int = 0) -> list[list[Candidate]]:
    """Return per row the places with the largest probabilities, best first.

    The first `skip` places are left out of the answer, but keep their share of the probability.
    """
    if logits.shape[-1] <= _FEW:
        return _of_few(logits, top_k=top_k, skip=skip)
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


def _of_few(logits: Tensor, *, top_k: int, skip: int) -> list[list[Candidate]]:
    values = logits.double().numpy()
    greatest = values.max(axis=1, keepdims=True)
    logs = values - greatest - np.log(np.exp(values - greatest).sum(axis=1, keepdims=True))
    places = np.argsort(-logs[:, skip:], axis=1, kind="stable")[:, :top_k] + skip
    found = np.take_along_axis(logs, places, axis=1)
    return [
        [Candidate(place, math.exp(value), value) for place, value in zip(row, of_row, strict=True)]
        for row, of_row in zip(places.tolist(), found.tolist(), strict=True)
    ]
