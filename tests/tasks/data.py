"""Small data, checked and loaded as an upload would be, and models whose answers are known."""

import numpy as np
import torch
from torch import Tensor, nn

from service.datasets import idx, registry, text
from service.datasets.base import ImageData, TextData
from service.domain.datasets import SequenceUnit, TextFacts
from tests.datasets.files import a_text_spec, an_idx_spec, opened

FOODS = [f"i like eating food{number} {'very ' * (number % 4)}much" for number in range(40)]


def a_text(
    lines: list[str] | None = None,
    sequences: SequenceUnit = "lines",
    *,
    test_lines: list[str] | None = None,
) -> TextData:
    files = {"file": "\n".join(FOODS if lines is None else lines).encode()}
    if test_lines is not None:
        files["validation_file"] = "\n".join(test_lines).encode()
    facts = registry.check(a_text_spec(sequences=sequences), opened(**files)).facts
    assert isinstance(facts, TextFacts)
    return text.load(files, facts)


def some_images(count: int = 40, shape: tuple[int, ...] = (4, 3), test_count: int = 0) -> ImageData:
    """Make images with two classes; image n holds n in its first pixel."""
    files: dict[str, bytes] = {}
    for prefix, number in (("", count), ("test_", test_count)):
        if number:
            pixels = np.zeros((number, *shape), dtype=np.uint8)
            pixels.reshape(number, -1)[:, 0] = np.arange(number)
            files[f"{prefix}images"] = idx.encode(pixels)
            files[f"{prefix}labels"] = idx.encode((np.arange(number) % 3 == 0).astype(np.uint8))
    facts = idx.check(opened(**files), an_idx_spec(["no", "yes"]), 1 << 30)
    return idx.load(files, facts)


class Counting(nn.Module):
    """A text model whose state counts the words read; every word says its own index is next."""

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.scale = nn.Parameter(torch.ones(()))
        self.vocabulary_size = vocabulary_size
        self.counted: list[Tensor] = []

    def initial_state(self, batch: int) -> Tensor:
        return torch.zeros(batch, 1)

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        logits = torch.nn.functional.one_hot(tokens, self.vocabulary_size).float()
        state = state + tokens.shape[1]
        self.counted.append(state.flatten())
        return 20 * self.scale * logits, state


class FirstPixel(nn.Module):
    """An image model that says yes as far as the first pixel is bright."""

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        first = self.scale * images[:, 0, 0, 0]
        return torch.stack([-first, first], dim=1)
