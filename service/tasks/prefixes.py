"""What a recurrent network has read lately: who types asks for the same words and one more.

All that such a network knows of a text is its state x_t. So a text that was read to its last word
but one is read on from there, and the same text again not at all.
"""

# pyright: reportUnknownMemberType=false
# torch leaves numpy untyped.

from collections import OrderedDict, defaultdict
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from service.architectures.recurrent import Recurrent
from service.tasks.base import Encoded

MAX_BYTES = 4 << 20
"""Of all that is kept for one model, and never more than the model itself takes."""

MAX_LENGTH = 64
"""Of longer texts nothing is kept: they are pasted, not typed."""

_KEY_BYTES = 4 * MAX_LENGTH + 256
"""What Python takes for a text of that length and its place, about."""

_Text = bytes
"""The tokens of a text: a tenth of what Python takes for them as numbers."""


class Prefixes:
    """The texts that one network has read lately, each with what it held after them."""

    def __init__(self, model: Recurrent, max_bytes: int) -> None:
        parts, hidden = model.x_0.shape
        self.places = max_bytes // (model.x_0.itemsize * (1 + parts) * hidden + _KEY_BYTES)
        # Of each text what the last layer reads, and below it the state. In one piece: thousands of
        # small ones, between those that come and go, would keep the memory of these, too.
        self._held = model.x_0.new_empty(self.places, 1 + parts, hidden)
        self._kept: OrderedDict[_Text, int] = OrderedDict()

    def unread(self, tokens: Tensor) -> int:
        """Count the tokens (batch, time) that are still to be read."""
        texts, shorter = _texts(tokens)
        return sum(
            tokens.shape[1] - self._length_known(*both) for both in zip(texts, shorter, strict=True)
        )

    @torch.inference_mode()
    def read(self, model: Recurrent, tokens: Tensor, window: int) -> Tensor:
        """Tokens (batch, time) → what the last layer reads behind each text (batch, hidden).

        What is new is read window by window.
        """
        texts, shorter = _texts(tokens)
        numbers = {text: number for number, text in enumerate(texts)}  # each text once
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for number in numbers.values():
            by_length[self._length_known(texts[number], shorter[number])].append(number)
        after = self._held.new_empty(len(texts), *self._held.shape[1:])
        for length, chosen in by_length.items():
            known = texts if length == tokens.shape[1] else shorter
            held = self._held[[self._kept[known[number]] for number in chosen]] if length else None
            after[chosen] = _read_on(model, tokens[chosen, length:], held, window)
        self._keep(numbers, after)
        return after[[numbers[text] for text in texts], 0]

    def _length_known(self, text: _Text, shorter: _Text) -> int:
        if text in self._kept:
            return len(text) // _ITEM
        return len(shorter) // _ITEM if shorter in self._kept else 0

    def _keep(self, numbers: dict[_Text, int], after: Tensor) -> None:
        """Keep the last of some texts, instead of those that were not asked for the longest."""
        places: list[int] = []
        last = [*numbers][-self.places :]
        for text in last:
            place = self._kept.pop(text, None)
            if place is None and len(self._kept) < self.places:
                place = len(self._kept)
            self._kept[text] = self._kept.popitem(last=False)[1] if place is None else place
            places.append(self._kept[text])
        self._held[places] = after[[numbers[text] for text in last]]


_OF_MODELS = WeakKeyDictionary[nn.Module, Prefixes]()


def remember(model: nn.Module) -> int:
    """Let a model whose weights stay as they are remember what it reads, if it can.

    Returns the bytes that this may come to take.
    """
    if not isinstance(model, Recurrent):
        return 0
    most = min(MAX_BYTES, sum(each.nbytes for each in model.parameters()))
    kept = Prefixes(model, most)
    if not kept.places:
        return 0
    _OF_MODELS[model] = kept
    return most


def prefixes_of(model: nn.Module, length: int) -> Prefixes | None:
    """Return what a model remembers, if it does and for texts of so many words."""
    return _OF_MODELS.get(model) if length <= MAX_LENGTH else None


def work_of(model: nn.Module, encoded: Encoded) -> int:
    """Tell how much is to be computed for some inputs: their elements, but for what is remembered.

    An input is one at least.
    """
    if model not in _OF_MODELS:
        return encoded.tensor.numel()
    work = 0
    for number, length in enumerate(encoded.lengths):
        kept = prefixes_of(model, length)
        text = encoded.tensor[number : number + 1, :length]
        work += length if kept is None else max(1, kept.unread(text))
    return work


_ITEM = np.dtype(np.int32).itemsize


def _texts(tokens: Tensor) -> tuple[list[_Text], list[_Text]]:
    """Write tokens (batch, time) so that they can be looked up, and without the last of each."""
    rows = tokens.numpy().astype(np.int32)
    return [row.tobytes() for row in rows], [row[:-1].tobytes() for row in rows]


def _read_on(model: Recurrent, tokens: Tensor, held: Tensor | None, window: int) -> Tensor:
    """Read tokens (batch, time) on from what is held, or from the beginning; return what is then.

    Both are (batch, 1 + parts, hidden).
    """
    if held is not None and not tokens.shape[1]:
        return held
    state = model.initial_state(len(tokens)) if held is None else held[:, 1:].transpose(0, 1)
    hidden = state[:1].transpose(0, 1)
    for part in torch.split(tokens.to(state.device), max(1, window), dim=1):
        hidden, state = model.hidden(part, state)
    return torch.cat([hidden[:, -1:], state.transpose(0, 1)], dim=1)
