"""What only the first run of a model costs, paid before somebody waits for an answer.

Memory is laid out, kernels are chosen for the sizes of the layers, and weights are packed for them.
"""

import torch
from torch import Tensor

from service.domain.shapes import END_OF_TEXT, ImageShape, Shape, TableShape
from service.prediction.batching import Loaded
from service.tasks.base import Encoded

_WORDS = 8


def run_once(loaded: Loaded) -> None:
    """Ask a model about nothing, as a single caller would."""
    inputs = _blank(loaded.task.shape)
    length = inputs.shape[1] if inputs.ndim == 2 and not inputs.is_floating_point() else 1
    loaded.task.infer(loaded.model, Encoded(inputs, [length], [[]], [[]]))


def _blank(shape: Shape) -> Tensor:
    if isinstance(shape, ImageShape):
        return torch.zeros(1, shape.channels, shape.height, shape.width, dtype=torch.uint8)
    if isinstance(shape, TableShape):
        return torch.zeros(1, shape.numbers + len(shape.categories))
    return torch.full((1, _WORDS), END_OF_TEXT)
