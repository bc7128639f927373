"""Reading one text on, in pieces, with what the model keeps of what it has read.

A model that offers a cache (`WithCache`) keeps that, any other its state. What is kept never
changes: who holds it may read on from there again.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from service.architectures.base import Cache, SequenceModel, WithCache, WithContext
from service.prediction.batching import Loaded
from service.prediction.finite import NotFinite
from service.tasks.base import Encoded, Prompt, Writes

READ_AT_ONCE = 256
"""Tokens that go through a model together."""

TAIL = 16
"""Characters that are kept of a text, to write a token behind it."""


class Read(NamedTuple):
    """How far a text is read; the logits (vocabulary,) are those after its last token."""

    kept: Tensor | Cache = None
    logits: Tensor | None = None


NOTHING = Read()


class SoFar(NamedTuple):
    """A text between two calls: what is read of it, what is still to be read, and how it ends."""

    read: Read = NOTHING
    unread: tuple[int, ...] = ()
    tokens: int = 0
    """Of the text, read or not; without the `<eos>` before its beginning."""
    seen: frozenset[int] = frozenset()
    """All its tokens, each once."""
    tail: str = ""
    """The end of the text, as it is written."""

    @property
    def begun(self) -> bool:
        """Whether there is anything to go on behind."""
        return bool(self.unread) or self.read.kept is not None

    def bytes(self) -> int:
        """Count about the memory that it takes."""
        return _bytes((self.read.kept, self.read.logits)) + 64 * (
            len(self.unread) + len(self.seen) + 32
        )


BEGINNING = SoFar()


def next_prompt(loaded: Loaded, encoded: Encoded, before: SoFar) -> Prompt:
    """Give the tokens to be read behind a text: `<eos>` stands at its very beginning alone."""
    task = cast("Writes", loaded.task)
    prompt = task.prompt(loaded.model, encoded)
    if not before.begun or prompt.tokens[:1] != [task.end]:
        return prompt
    return prompt._replace(tokens=prompt.tokens[1:])


def warn_of_session(model: nn.Module, tokens: int) -> list[str]:
    """Say that a model does not see all of a session any more."""
    if not isinstance(model, WithContext) or tokens <= model.context:
        return []
    seen = f"the model sees {model.context} words at once"
    return [f"{seen}: of the {tokens} of this session the older ones are let go"]


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
    if not math.isfinite(last.abs().max().item()):  # NaN is the largest; a fifth of `isfinite`
        raise NotFinite
    return Read(kept, last)


def _bytes(kept: object) -> int:
    if isinstance(kept, Tensor):
        return kept.untyped_storage().nbytes()
    parts = cast("tuple[object, ...]", kept) if isinstance(kept, tuple) else ()
    return sum(map(_bytes, parts))
