"""Looking at a model while it validates, and at the gradients that the last step left in it.

Nothing is computed twice and no random number is drawn: hooks see what flows anyway and keep a few
numbers of each unit on the model's device, which are fetched when all is over.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import math
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from service.architectures.activations import activation_of
from service.training.layer_symptoms import Activity, Gradient

FLAT_ENDS = {"tanh": (0.0, 0.99), "sigmoid": (0.5, 0.495)}
"""The middle of the curve, and how far from it the slope is a fiftieth of what it is there."""


class Watcher:
    """Looks at one module's outputs; `idle` is 1 for each unit that was idle on all of them."""

    def __init__(self, layer: str, activation: str) -> None:
        self.layer, self.activation = layer, activation
        self.idle: Tensor | None = None

    def __call__(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        """Take in an output (…, units), of images (batch, units, height, width)."""
        values = cast("Tensor", output[0] if isinstance(output, tuple) else output).detach()
        units = 1 if values.ndim == 4 else values.ndim - 1
        others = [axis for axis in range(values.ndim) if axis != units]
        if self.activation == "relu":
            idle = values.amax(dim=others) <= 0
        else:
            middle, far = FLAT_ENDS[self.activation]
            idle = (values - middle).abs_().amin(dim=others) >= far
        self.idle = idle if self.idle is None else self.idle & idle


class Guesses:
    """Counts how often each class is the most probable one, from a model's logits."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._counts: Tensor | None = None

    def __call__(self, _module: nn.Module, _inputs: Any, logits: Tensor) -> None:
        """Take in logits (batch, classes)."""
        counts = torch.bincount(logits.argmax(dim=-1), minlength=self._classes)
        self._counts = counts if self._counts is None else self._counts + counts

    def counts(self) -> list[int]:
        """Return the counts."""
        none = [0] * self._classes
        return none if self._counts is None else cast("list[int]", self._counts.tolist())


@contextmanager
def hooked(hooks: list[tuple[nn.Module, Any]]) -> Generator[None]:
    """Have each hook look at its module while this is entered."""
    with ExitStack() as hung:
        for module, hook in hooks:
            hung.callback(module.register_forward_hook(hook).remove)
        yield


def watchers(model: nn.Module) -> list[tuple[nn.Module, Watcher]]:
    """Make a watcher for each activation that can be dead or saturated, in the model's order."""
    watched = {"relu", *FLAT_ENDS}
    modules = cast("Iterator[tuple[str, nn.Module]]", model.named_modules())
    named = ((name, module, activation_of(module)) for name, module in modules)
    return [
        (module, Watcher(name, activation))
        for name, module, activation in named
        if activation in watched
    ]


def activities(hung: list[tuple[nn.Module, Watcher]]) -> list[Activity]:
    """Read what watchers saw."""
    seen = [watcher for _, watcher in hung if watcher.idle is not None]
    return [
        Activity(
            layer=watcher.layer,
            place=place,
            of=len(seen),
            activation=watcher.activation,
            units=idle.numel(),
            idle=int(idle.sum()),
        )
        for place, watcher in enumerate(seen, start=1)
        if (idle := watcher.idle) is not None
    ]


def gradients(model: nn.Module) -> list[Gradient]:
    """Read the norms of the gradients of all matrices by layer, from the input to the output.

    Tables of embeddings are left out: of those, only the rows of the last batch have a gradient.
    """
    names: list[str] = []
    norms: list[Tensor] = []
    for name, own in _layers(model, ""):
        slopes = [
            cast("Tensor", each.grad.norm())
            for each in own
            if each.grad is not None and each.ndim > 1
        ]
        if slopes:
            names.append(name)
            norms.append(cast("Tensor", torch.stack(slopes).norm()))
    values = cast("list[float]", torch.stack(norms).tolist()) if norms else []
    return [Gradient(name, value) for name, value in zip(names, values, strict=True)]


def update_ratio(model: nn.Module, *, adaptive: bool, lr: float, momentum: float) -> float:
    """Estimate by what part of their size a step of so large an lr changes the weights.

    An adaptive optimizer moves each weight by about lr, plain descent by lr times its gradient.
    """
    own = [each for each in model.parameters() if each.grad is not None]
    if not own:
        return 0.0
    norms = torch.stack(
        [torch.stack([p.detach().norm(), cast("Tensor", p.grad).norm()]) for p in own]
    )
    size, slope = cast("list[float]", norms.float().norm(dim=0).tolist())
    count = sum(each.numel() for each in own)
    moved = lr * (math.sqrt(count) if adaptive else slope) / (1 - momentum)
    return moved / size if size else math.inf


def _layers(module: nn.Module, name: str) -> Iterator[tuple[str, list[nn.Parameter]]]:
    """List modules with parameters of their own, inner before outer: what reads out is last."""
    for child, inner in module.named_children():
        yield from _layers(inner, f"{name}.{child}" if name else child)
    if not isinstance(module, nn.Embedding):
        yield name or "output", [*module.parameters(recurse=False)]
