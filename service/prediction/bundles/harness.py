"""What a downloaded `model.py` does with its network: loads it, asks it, checks itself.

The source of what is used here goes into every bundle, so it needs torch, safetensors and the
standard library alone.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# torch annotates some of its functions only in part.

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from service.datasets.tokenizers import normalized
from service.datasets.words import END_INDEX, SPECIAL, UNKNOWN_INDEX, tokenize

TOLERANCE = 1e-4
"""Another processor rounds otherwise; another model is further away."""


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read one of the files of the bundle."""
    return json.loads((folder / name).read_text(encoding="utf-8"))


def as_options(value: Any) -> Any:
    """Make of JSON what a network is built with: attributes instead of keys, tuples for lists."""
    if isinstance(value, dict):
        given: dict[str, Any] = value
        return SimpleNamespace(**{name: as_options(each) for name, each in given.items()})
    if isinstance(value, list):
        items: list[Any] = value
        return tuple(map(as_options, items))
    return value


def restored(
    build: Callable[[Any, Any], nn.Module], shape_type: Callable[..., Any], folder: Path
) -> nn.Module:
    """Build the network as config.json says, with the weights of the bundle, ready to be asked."""
    config = read_json(folder, "config.json")
    shape = shape_type(**vars(as_options(config["shape"])))
    model = build(as_options(config["architecture"]), shape)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval().requires_grad_(requires_grad=False)


def next_word(model: Any, tokens: Tensor, preparation: dict[str, Any]) -> Tensor:
    """Tokens (batch, time) → the logits (batch, vocabulary) of the token after each row.

    A row begins with `<eos>`. A model that sees so many tokens at once reads the last ones.
    """
    del preparation
    tokens = tokens[:, -getattr(model, "context", tokens.shape[1]) :]
    logits, _ = model(tokens, model.initial_state(tokens.shape[0]))
    return logits[:, -1].float()


def text_classes(model: nn.Module, tokens: Tensor, preparation: dict[str, Any]) -> Tensor:
    """Tokens (batch, time), each row ended and filled up by `<eos>` → logits (batch, classes)."""
    del preparation
    return model(tokens).float()


def image_classes(model: nn.Module, pixels: Tensor, preparation: dict[str, Any]) -> Tensor:
    """Pixels (batch, channels, height, width) of 0 to 255 → logits (batch, classes)."""
    mean = torch.tensor(preparation["mean"]).view(-1, 1, 1)
    deviation = torch.tensor(preparation["standard_deviation"]).view(-1, 1, 1)
    return model((pixels.float() - mean) / deviation).float()


def row_classes(model: nn.Module, rows: Tensor, preparation: dict[str, Any]) -> Tensor:
    """Rows (batch, numbers + categories) as preparation.json has them → logits (batch, classes)."""
    del preparation
    return model(rows).float()


def row_values(model: nn.Module, rows: Tensor, preparation: dict[str, Any]) -> Tensor:
    """Rows (batch, numbers + categories) as preparation.json has them → values, in their unit."""
    target = preparation["target"]
    values = model(rows).squeeze(-1).double() * target["deviation"] + target["mean"]
    return values.clamp(min=0) if target["non_negative"] else values


def tokens_of(text: str, preparation: dict[str, Any]) -> list[int]:
    """Return a text as the places of its words, or characters, in the vocabulary."""
    tokenizer = preparation.get("tokenizer", {"name": "word"})["name"]
    lowercase = preparation["lowercase"]
    if tokenizer == "bpe":
        message = "pieces of words need the library `tokenizers`; README.md says how they are made"
        raise NotImplementedError(message)
    words = tokenize(text, lowercase=lowercase)
    if tokenizer == "char":
        words = list(normalized(text, lowercase=lowercase))
    places = {word: place for place, word in enumerate(preparation["vocabulary"])}
    return [places.get(word, UNKNOWN_INDEX) for word in words]


def best(
    logits: Tensor, names: Sequence[str], config: dict[str, Any], *, top_k: int = 5, skip: int = 0
) -> list[tuple[str, float]]:
    """Name what one row of logits finds most probable, calibrated if the model is.

    The first `skip` names are not told.
    """
    calibration = (config["evaluation"] or {}).get("calibration") or {"temperature": 1.0}
    softened = logits.double() / calibration["temperature"]
    shares = cast("list[float]", softened.softmax(dim=-1).tolist())
    ranked = sorted(range(skip, len(shares)), key=lambda place: -shares[place])
    return [(names[place], shares[place]) for place in ranked[:top_k]]


def best_words(
    answer: Callable[[Tensor], Tensor], text: str, folder: Path
) -> list[tuple[str, float]]:
    """Name the most probable next words of a text."""
    preparation = read_json(folder, "preparation.json")
    tokens = torch.tensor([[END_INDEX, *tokens_of(text, preparation)]])
    config = read_json(folder, "config.json")
    return best(answer(tokens)[0], preparation["vocabulary"], config, skip=len(SPECIAL))


def best_classes(
    answer: Callable[[Tensor], Tensor], text: str, folder: Path
) -> list[tuple[str, float]]:
    """Name the most probable classes of a text."""
    preparation = read_json(folder, "preparation.json")
    tokens = tokens_of(text, preparation)[: preparation["sequence_length"]]
    config = read_json(folder, "config.json")
    return best(answer(torch.tensor([[*tokens, END_INDEX]]))[0], preparation["classes"], config)


def differences(answer: Callable[[Tensor], Tensor], folder: Path) -> int:
    """Compare with example.json; say ok, or how far off; return what a process ends with."""
    example = read_json(folder, "example.json")
    found = answer(torch.tensor(example["inputs"], dtype=getattr(torch, example["dtype"])))
    expected = torch.tensor(example["outputs"], dtype=torch.float64)
    worst = ((found.double() - expected).abs() / (1 + expected.abs())).max().item()
    is_right = found.shape == expected.shape and worst <= TOLERANCE
    sys.stdout.write("ok\n" if is_right else f"the outputs are off by {worst}\n")
    return 0 if is_right else 1
