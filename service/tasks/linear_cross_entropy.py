"""The last layer of a text model and its cross-entropy as one function, for large vocabularies.

With ten thousand words the last layer, its softmax and their gradients are nine tenths of a step.
Here the words of a batch go through it by parts, and of each the gradient is made at once, while
its logits are in the cache: neither all logits nor all probabilities are ever held. As in Liger
(Hsu et al. 2024) and Cut Your Losses (Wijmans et al. 2025).
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from service.architectures.base import Output

_LOGITS_AT_ONCE = 1 << 20
"""Of one part: 4 MiB. Measured: 1 << 18 to 1 << 22 are alike; below, the plain loss is as quick."""
_LEAST_ROWS = 64
"""Fewer in a part would spend their time on adding to the gradient of a large matrix."""
_PARTS_TOGETHER = 8
"""Of so many the products are one where they are of another type than the sums: what is added to
the gradient of the matrix has to be converted, all of it each time."""


class _Found(NamedTuple):
    """Sums over the targets: the loss and, if asked for, its gradients."""

    loss: Tensor
    hidden: Tensor | None = None
    matrix: Tensor | None = None
    bias: Tensor | None = None


def linear_cross_entropy(
    hidden: Tensor,
    output: Output,
    targets: Tensor,
    *,
    ignored: int,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Hidden (words, width), targets (words,) → the mean cross-entropy of those not ignored.

    As `cross_entropy(linear(hidden, *output), targets)`, and that itself where all logits are few;
    else only once differentiable. The three products of matrices are computed in the type of
    autocast where it is on, the softmax and all sums in float32 at least.
    """
    if len(targets) * len(output.matrix) <= _LOGITS_AT_ONCE:
        logits = functional.linear(hidden, *output)
        return functional.cross_entropy(
            logits, targets, ignore_index=ignored, label_smoothing=label_smoothing
        )
    places = (targets != ignored).nonzero()[:, 0]
    if len(places) < len(targets):
        hidden, targets = hidden.index_select(0, places), targets[places]
    device = hidden.device.type
    autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    options = label_smoothing, autocast, torch.is_grad_enabled()
    return cast("Tensor", _LinearCrossEntropy.apply(hidden, *output, targets, *options))


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any,
        hidden: Tensor,
        matrix: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        smoothing: float,
        products: torch.dtype | None,
        with_gradients: bool,
    ) -> Tensor:
        found = _by_parts(
            hidden,
            Output(matrix, bias),
            targets,
            smoothing=smoothing,
            products=products,
            with_gradients=with_gradients,
        )
        ctx.count = len(targets)
        ctx.save_for_backward(found.hidden, found.matrix, found.bias)
        return found.loss / ctx.count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        scale = gradient / ctx.count
        saved = (None if each is None else each * scale for each in ctx.saved_tensors)
        return (*saved, None, None, None, None)


def _by_parts(
    hidden: Tensor,
    output: Output,
    targets: Tensor,
    *,
    smoothing: float,
    products: torch.dtype | None,
    with_gradients: bool,
) -> _Found:
    kind = products or hidden.dtype
    sums = torch.promote_types(hidden.dtype, torch.float32)
    low = Output(output.matrix.to(kind), None if output.bias is None else output.bias.to(kind))
    found = _Found(hidden.new_zeros((), dtype=sums))
    if with_gradients:
        found = _Found(found.loss, *map(_nothing, (hidden, *output)))
    rows = max(_LEAST_ROWS, _LOGITS_AT_ONCE // len(output.matrix))
    together = rows if kind == sums else rows * _PARTS_TOGETHER
    for start in range(0, len(targets), together):
        inputs = hidden[start : start + together].to(kind)
        errors = functional.linear(inputs, *low)  # these are the logits still
        places = range(start, len(targets), rows)
        for part, place in zip(torch.split(errors, rows), places, strict=False):
            expected = targets[place : place + rows, None]
            _to_errors(part, expected, found, smoothing=smoothing, sums=sums)
        if found.hidden is None or found.matrix is None:
            continue
        found.hidden[start : start + together] = errors @ low.matrix
        if kind == sums:
            found.matrix.addmm_(errors.t(), inputs)
        else:
            found.matrix.add_(errors.t() @ inputs)
    return found


def _to_errors(
    logits: Tensor, expected: Tensor, found: _Found, *, smoothing: float, sums: torch.dtype
) -> None:
    """Add the loss of some words; put the gradient of each logit in its place.

    That is what was said less what should have been.
    """
    logs = logits.to(sums).log_softmax(dim=1)
    size = logs.shape[1]
    found.loss.sub_(logs.gather(1, expected).sum(), alpha=1 - smoothing)
    if smoothing:
        found.loss.sub_(logs.sum(), alpha=smoothing / size)
    if found.matrix is None:
        return
    errors = logs.exp_()
    errors.scatter_add_(1, expected, torch.full_like(expected, smoothing - 1, dtype=sums))
    if smoothing:
        errors.sub_(smoothing / size)
    if found.bias is not None:
        found.bias.add_(errors.sum(dim=0))
    logits.copy_(errors)


def _nothing(like: Tensor | None) -> Tensor | None:
    return None if like is None else torch.zeros_like(like)
