"""What only the first run of a model costs, paid before somebody waits for an answer.

Memory is laid out, kernels are chosen for the sizes of the layers, and weights are packed for them.
"""

import torch
from torch import Tensor

from service.architectures.base import WithContext
from service.domain.shapes import END_OF_TEXT, ImageShape, Shape, TableShape
from service.prediction.batching import Loaded
from service.tasks.base import Encoded

_WORDS = 8


def run_once(loaded: Loaded) -> None:
    """Ask a model about nothing, as a single caller would."""
    model = loaded.model
    words = model.context if isinstance(model, WithContext) else _WORDS
    inputs = _blank(loaded.task.shape, words=words)
    length = inputs.shape[1] if inputs.ndim == 2 and not inputs.is_floating_point() else 1
    loaded.task.infer(model, Encoded(inputs, [length], [[]], [[]]))


def _blank(shape: Shape, *, words: int) -> Tensor:
    if isinstance(shape, ImageShape):
        return torch.zeros(1, shape.channels, shape.height, shape.width, dtype=torch.uint8)
    if isinstance(shape, TableShape):
        return torch.zeros(1, shape.numbers + len(shape.categories))
    return torch.full((1, min(words, _WORDS)), END_OF_TEXT)
