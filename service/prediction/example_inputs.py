"""Inputs that a network can be tried with, made of its shape alone: the same ones every time."""

from typing import cast

import torch
from torch import Tensor, nn

from service.domain.shapes import END_OF_TEXT, ImageShape, Shape, TableShape, TextClassShape

_ROWS = 2
_TOKENS = 6


def example_inputs(shape: Shape, model: nn.Module, longest: int | None) -> Tensor:
    """Draw inputs; `longest` bounds the tokens of a text, its end not counted."""
    draws = torch.Generator().manual_seed(0)
    match shape:
        case ImageShape():
            size = (_ROWS, shape.channels, shape.height, shape.width)
            return torch.randint(256, size, generator=draws, dtype=torch.uint8)
        case TableShape():
            numbers = torch.randn(_ROWS, shape.numbers, generator=draws)
            places = [torch.randint(size, (_ROWS, 1), generator=draws) for size in shape.categories]
            return torch.cat([numbers, *(each.float() for each in places)], dim=1)
        case TextClassShape():
            bounds = [each for each in (longest, _context(model)) if each is not None]
            length = min(_TOKENS - 1, *bounds) if bounds else _TOKENS - 1
            words = _words(shape.vocabulary_size, length, draws)
            return torch.cat([words, torch.full((_ROWS, 1), END_OF_TEXT)], dim=1)
        case _:
            words = _words(shape.vocabulary_size, _TOKENS - 1, draws)
            return torch.cat([torch.full((_ROWS, 1), END_OF_TEXT), words], dim=1)


def _words(vocabulary_size: int, length: int, draws: torch.Generator) -> Tensor:
    """Draw tokens, none of which is the end."""
    words = torch.randint(vocabulary_size - 1, (_ROWS, length), generator=draws)
    return torch.where(words >= END_OF_TEXT, words + 1, words)


def _context(model: nn.Module) -> int | None:
    return cast("int | None", getattr(model, "context", None))
