"""Reading one text on, in pieces, with what the model keeps of what it has read.

A model that offers a cache (`WithCache`) keeps that, any other its state. What is kept never
changes: who holds it may read on from there again.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from service.architectures.base import Cache, SequenceModel, WithCache
from service.prediction.finite import NotFinite

READ_AT_ONCE = 256
"""Tokens that go through a model together."""


class Read(NamedTuple):
    """How far a text is read; the logits (vocabulary,) are those after its last token."""

    kept: Tensor | Cache = None
    logits: Tensor | None = None
    tokens: int = 0

    def bytes(self) -> int:
        """Count the memory that it takes."""
        return _bytes((self.kept, self.logits))


NOTHING = Read()


@torch.inference_mode()
def read_on(model: nn.Module, tokens: Sequence[int], before: Read = NOTHING) -> Read:
    """Read at least one token on. Raises NotFinite."""
    device = next(model.parameters()).device
    piece = torch.tensor([[*tokens]], device=device)
    if isinstance(model, WithCache):
        cache: Cache = model.first_cache(1) if before.kept is None else before.kept
        logits, kept = model.read_on(piece, cache)
    else:
        reads = cast("SequenceModel", model)
        state = reads.initial_state(1) if before.kept is None else before.kept
        all_logits, kept = reads(piece, state)
        logits = all_logits[:, -1]
    last = logits[0].float().cpu().clone()  # no part of something larger: it may be kept
    if not last.isfinite().all():
        raise NotFinite
    return Read(kept, last, before.tokens + len(tokens))


def _bytes(kept: object) -> int:
    if isinstance(kept, Tensor):
        return kept.untyped_storage().nbytes()
    parts = cast("tuple[object, ...]", kept) if isinstance(kept, tuple) else ()
    return sum(map(_bytes, parts))
