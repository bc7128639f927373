"""Writing a text on: what a token costs with what was kept, and with the context read anew.

The tokens are given, so that every way reads the same; choosing them is in neither. "anew" hands a
Transformer the tokens that it carries as its state, as training does; "by hand" is the loop over
`nn.Embedding`, `nn.LSTM` and `nn.Linear` that one writes, with the same weights.
"""

# torch leaves parts of these functions untyped.
# pyright: reportUnknownMemberType=false

import argparse
import time
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from benchmarks.measuring import print_table
from service.architectures.lstm import LstmConfig
from service.architectures.lstm import build as build_lstm
from service.architectures.recurrent import Recurrent
from service.architectures.transformer import Decoder, TransformerConfig, build
from service.domain.shapes import TextShape
from service.prediction.reading import NOTHING, read_on

WORDS = 10_000
SHAPE = TextShape(vocabulary_size=WORDS)
Way = Callable[[list[int]], Tensor]
"""Reads tokens one after the other; returns the last logits."""


def main() -> None:
    """Measure every way in alternating rounds."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    rounds: int = arguments.parse_args().rounds
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for context in (128, 512):
        model = build(TransformerConfig(context=context), SHAPE).eval()
        assert isinstance(model, Decoder)
        ways = {"the context read anew": anew(model), "with the cache": kept(model)}
        _measure(f"Transformer, context {context}", ways, tokens=2 * context, rounds=rounds)
    lstm = build_lstm(LstmConfig(embedding_size=128, hidden_size=256), SHAPE).eval()
    assert isinstance(lstm, Recurrent)
    ways = {"by hand": by_hand(lstm), "ours": kept(lstm)}
    _measure("LSTM 256", ways, tokens=256, rounds=rounds)


def kept(model: nn.Module) -> Way:
    """Read as the service does."""

    def run(tokens: list[int]) -> Tensor:
        read = NOTHING
        for token in tokens:
            read = read_on(model, [token], read)
        return cast("Tensor", read.logits)

    return run


def anew(model: Decoder) -> Way:
    """Read what is carried again with each token."""

    def run(tokens: list[int]) -> Tensor:
        state, logits = model.initial_state(1), torch.empty(0)
        for token in tokens:
            found, state = model(torch.tensor([[token]]), state)
            logits = found[0, -1]
        return logits

    return torch.inference_mode()(run)


def by_hand(model: Recurrent) -> Way:
    """Read with torch's own layers."""
    embedding, lstm = nn.Embedding(WORDS, 128), nn.LSTM(128, 256, batch_first=True)
    linear = nn.Linear(256, WORDS)
    weights = {name.rpartition(".")[2]: each for name, each in model.state_dict().items()}
    lstm.load_state_dict({name: weights[name] for name in lstm.state_dict()}, assign=True)
    embedding.load_state_dict({"weight": model.state_dict()["embedding.weight"]}, assign=True)
    linear.load_state_dict({"weight": weights["W_yx"], "bias": weights["b_y"]}, assign=True)

    def run(tokens: list[int]) -> Tensor:
        state, logits = None, torch.empty(0)
        for token in tokens:
            states, state = lstm(embedding(torch.tensor([[token]])), state)
            logits = linear(states[:, -1])[0]
        return logits

    return torch.inference_mode()(run)


def _measure(title: str, ways: dict[str, Way], *, tokens: int, rounds: int) -> None:
    text = cast("list[int]", torch.randint(WORDS, (tokens,)).tolist())
    first, second = (way(text) for way in ways.values())  # and so all are warm
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4)
    measured = {name: list[float]() for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way(text)
            measured[name].append(tokens / (time.perf_counter() - began))
    print_table(title, measured, unit="tokens/s", baseline=next(iter(ways)))


if __name__ == "__main__":
    main()
