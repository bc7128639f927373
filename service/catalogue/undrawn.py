"""Models that are built for their shapes alone: on the device meta there is nothing to draw.

Torch does not know: there it takes `normal_` apart as for its compiler, which it imports for that.
So the first job that a process accepted waited for a second and more.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class _Undrawn(TorchFunctionMode):
    """Leaves values out."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        if func is torch.Tensor.normal_:
            return args[0]
        return func(*args, **kwargs)


@contextmanager
def undrawn() -> Generator[None]:
    """Make tensors on the device meta until the end of the block, and initialize none of them."""
    with _Undrawn(), torch.device("meta"):
        yield
