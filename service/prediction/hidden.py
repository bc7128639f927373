"""What the last layer of a model reads, whatever the architecture.

The last linear map that a model computes is its output layer, for all architectures of the
catalogue: so it is listened to, and no architecture has to tell.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class NoLastLayer(Exception):  # noqa: N818  a state of affairs
    """The model ends with something else than a linear map."""


class _Listener(TorchFunctionMode):
    """Notes what every linear map of this thread reads, and the matrix that it is."""

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.heard: list[tuple[Tensor, Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is functional.linear:
            self.heard.append((args[1], args[0]))
        return func(*args, **(kwargs or {}))


def read_by_last_layer(run: Callable[[], object]) -> Tensor:
    """Run a model, perhaps in several parts; return what its last layer read (inputs, …, hidden).

    Raises NoLastLayer.
    """
    listener = _Listener()
    with torch.inference_mode(), listener:
        run()
    if not listener.heard:
        raise NoLastLayer
    matrix = listener.heard[-1][0]
    parts = [read for other, read in listener.heard if other is matrix]
    return torch.cat(parts).float().cpu()
