"""How probable a model finds a text: the chain rule, token by token."""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor

from service.architectures.base import SequenceModel
from service.domain.scores import Score, ScoredToken
from service.prediction.batching import Loaded
from service.prediction.finite import NotFinite
from service.tasks.base import Encoded, Writes

_READ_AT_ONCE = 128
"""Tokens: of a large vocabulary their logits are some megabytes."""


@torch.inference_mode()
def score(loaded: Loaded, encoded: Encoded) -> Score:
    """Score one text, as the task has read it. Raises NotFinite."""
    task = cast("Writes", loaded.task)
    tokens: list[int] = cast("list[int]", encoded.tensor[0].tolist())
    expected = [*tokens[1:], task.end]
    found = _log_probabilities(loaded, tokens, expected)
    scored = [
        ScoredToken(token=task.token(index), logprob=logprob)
        for index, logprob in zip(tokens[1:], found[:-1], strict=True)
    ]
    logprob = math.fsum(found[:-1])
    return Score(
        tokens=scored,
        logprob=logprob,
        perplexity=_perplexity(logprob, len(scored)),
        end_logprob=found[-1],
        unknown=encoded.unknown[0],
        warnings=encoded.warnings[0],
    )


def _log_probabilities(loaded: Loaded, tokens: list[int], expected: list[int]) -> list[float]:
    """Return ln of the probability of what comes after each token."""
    model = cast("SequenceModel", loaded.model)
    device = next(loaded.model.parameters()).device
    state, found = model.initial_state(1), list[Tensor]()
    edges = [*range(0, len(tokens), _READ_AT_ONCE), len(tokens)]
    for start, end in pairwise(edges):
        logits, state = model(torch.tensor([tokens[start:end]], device=device), state)
        logs = logits[0].double().log_softmax(dim=-1)
        if not logs.isfinite().all():
            raise NotFinite
        wanted = torch.tensor(expected[start:end], device=device)
        found.append(logs.gather(1, wanted[:, None])[:, 0].cpu())
    return cast("list[float]", torch.cat(found).tolist())


def _perplexity(logprob: float, tokens: int) -> float | None:
    mean = -logprob / tokens if tokens else math.inf
    return math.exp(mean) if mean < math.log(1e300) else None
