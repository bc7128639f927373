"""A Transformer that reads on with what it kept is the one that reads the whole.

In float64 both agree within 1e-11. In float32 within 1e-5 of the largest logit: the products are
the same, their sums are taken in another order.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from service.architectures.base import WithCache
from service.architectures.transformer import Decoder
from tests.architectures.test_transformer import a_decoder, logits_of, tokens

FLOAT64, FLOAT32 = 1e-11, 1e-5
CHOICES: dict[str, list[Any]] = {
    "norm": ["rms", "layer"],
    "mlp": ["relu2", "gelu", "swiglu"],
    "positions": ["rotary", "learned"],
    "tied_embeddings": [False, True],
    "layers": [1, 2, 3],
}
OPTIONS = [dict(zip(CHOICES, chosen, strict=True)) for chosen in product(*CHOICES.values())]
TIME = 20
PIECES = ([1] * TIME, [7, *[1] * 13], [3, 4, 1, 12], [TIME])


def read_on(model: Decoder, words: Tensor, sizes: list[int]) -> Iterator[tuple[int, Tensor]]:
    """Read a text in pieces; yield after each how much was read, and the logits."""
    cache, place = model.first_cache(len(words)), 0
    for piece in torch.split(words, sizes, dim=1):
        logits, cache = model.read_on(piece, cache)
        place += piece.shape[1]
        yield place, logits


def apart(model: Decoder, words: Tensor, sizes: list[int]) -> float:
    """Return the largest distance from the logits of the whole, as a share of the largest."""
    whole = logits_of(model, words)
    distances = [
        (logits - whole[:, place - 1]).abs().max() for place, logits in read_on(model, words, sizes)
    ]
    return float(torch.stack(distances).max() / whole.abs().max())


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@torch.inference_mode()
def test_reading_on_gives_the_logits_of_the_whole(options: dict[str, Any]) -> None:
    model, words = a_decoder(**options), tokens(2, TIME)

    assert max(apart(model, words, sizes) for sizes in PIECES) < FLOAT64
    assert max(apart(model.float(), words, sizes) for sizes in PIECES) < FLOAT32


@pytest.mark.parametrize("context", [1, 2, 5, 6, 17, 40])
@torch.inference_mode()
def test_beyond_the_context_the_older_half_is_let_go_as_ever(context: int) -> None:
    model, words = a_decoder(context=context), tokens(3, 70)

    for sizes in ([1] * 70, [9, *[1] * 61], [33, 3, 34], [70]):
        assert apart(model, words, sizes) < FLOAT64


@torch.inference_mode()
def test_from_one_cache_a_text_can_be_read_on_again_in_another_way() -> None:
    model, words = a_decoder(context=40), tokens(1, 30)
    other = (words + 1) % 7
    _, cache = model.read_on(words[:, :20], model.first_cache(1))
    model.read_on(other[:, 20:], cache)

    found, _ = model.read_on(words[:, 20:], cache)

    torch.testing.assert_close(found, logits_of(model, words)[:, -1])


@torch.inference_mode()
def test_with_a_cache_a_token_costs_itself_alone() -> None:
    """Counted, not timed: what the last layer's perceptron is handed."""
    model, words = a_decoder(context=40), tokens(1, 30)
    assert isinstance(model, WithCache)
    seen: list[int] = []

    def count(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0].shape[1])

    layer: Any = model.trunk.layers[-1]
    layer.mlp.register_forward_pre_hook(count)

    assert [place for place, _ in read_on(model, words, [20, *[1] * 10])][-1] == 30

    assert seen == [20, *[1] * 10]
