"""What a recurrent network has read lately: who types asks for the same words and one more.

All that such a network knows of a text is its state x_t. So a text that was read to its last word
but one is read on from there, and the same text again not at all.
"""

# pyright: reportUnknownMemberType=false
# torch leaves tolist untyped.

from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from typing import NamedTuple, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from service.architectures.base import SequenceModel, WithContext, WithOutput

MAX_BYTES = 4 << 20
"""Of all that is kept for one model, and never more than the model itself takes."""

MAX_LENGTH = 256
"""Of longer texts nothing is kept: they are pasted, not typed."""


_OVERHEAD = 1024
"""Bytes that Python takes for a text and its two tensors, about."""


class _After(NamedTuple):
    """What a network holds after a text: what its last layer reads (hidden,), and its state."""

    hidden: Tensor
    state: Tensor

    def bytes(self) -> int:
        return self.hidden.nbytes + self.state.nbytes + _OVERHEAD


class Prefixes:
    """The texts that one model has read lately, as tokens, each with what it held after them."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self._kept: OrderedDict[tuple[int, ...], _After] = OrderedDict()
        self._bytes = 0

    @torch.inference_mode()
    def read(self, model: nn.Module, tokens: Tensor) -> Tensor:
        """Tokens (batch, time) → what the last layer reads behind each text (batch, hidden)."""
        texts = [tuple(row) for row in cast("list[list[int]]", tokens.tolist())]
        found: dict[tuple[int, ...], _After] = {}
        to_read: defaultdict[int, dict[tuple[int, ...], int]] = defaultdict(dict)
        for number, text in enumerate(texts):
            same, shorter = self._kept.get(text), self._kept.get(text[:-1])
            if same is not None:
                found[text] = same
            else:
                to_read[0 if shorter is None else len(text) - 1][text] = number
        for length, numbers in to_read.items():
            before = [self._kept[text[:length]].state for text in numbers] if length else None
            part = tokens[[*numbers.values()], length:]
            found.update(zip(numbers, _read(model, part, before), strict=True))
        for text in texts:
            self._keep(text, found[text])
        return torch.stack([found[text].hidden for text in texts])

    def _keep(self, text: tuple[int, ...], after: _After) -> None:
        if text not in self._kept:
            self._kept[text] = after
            self._bytes += after.bytes()
        self._kept.move_to_end(text)
        while self._bytes > self.max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.bytes()


_OF_MODELS = WeakKeyDictionary[nn.Module, Prefixes]()


def remember(model: nn.Module) -> int:
    """Let a model whose weights stay as they are remember what it reads, if it can.

    Returns the bytes that this may come to take.
    """
    if isinstance(model, WithContext) or not isinstance(model, WithOutput):
        return 0
    own = sum(each.nbytes for each in cast("nn.Module", model).parameters())
    kept = _OF_MODELS[cast("nn.Module", model)] = Prefixes(min(MAX_BYTES, own))
    return kept.max_bytes


def prefixes_of(model: nn.Module, length: int) -> Prefixes | None:
    """Return what a model remembers, if it does and for texts of so many words."""
    return _OF_MODELS.get(model) if length <= MAX_LENGTH else None


def _read(model: nn.Module, tokens: Tensor, before: Sequence[Tensor] | None) -> list[_After]:
    """Read tokens (batch, time) on from the states before them, or from the first one."""
    first = cast("SequenceModel", model).initial_state(len(tokens))
    state = first if before is None else torch.stack([*before], dim=1)
    hidden, state = cast("WithOutput", model).hidden(tokens.to(first.device), state)
    # No parts of something larger: they are kept, and the rest of it would be, too.
    return [
        _After(hidden[row, -1].clone(), state[:, row].clone(memory_format=torch.contiguous_format))
        for row in range(len(tokens))
    ]
