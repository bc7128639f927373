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
    products: torch.dtype | None = None,
) -> Tensor:
    """Hidden (words, width), targets (words,) → the mean cross-entropy of those not ignored.

    As `cross_entropy(linear(hidden, *output), targets)`, and that itself where all logits are few;
    else only once differentiable. The three products of matrices are computed in the type
    `products` (None: that of `hidden`), the softmax and all sums in float32 at least.
    """
    if products is None and len(targets) * len(output.matrix) <= _LOGITS_AT_ONCE:
        logits = functional.linear(hidden, *output)
        return functional.cross_entropy(
            logits, targets, ignore_index=ignored, label_smoothing=label_smoothing
        )
    places = (targets != ignored).nonzero()[:, 0]
    if len(places) < len(targets):
        hidden, targets = hidden.index_select(0, places), targets[places]
    options = label_smoothing, products, torch.is_grad_enabled()
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
    size = len(output.matrix)
    rows = max(_LEAST_ROWS, _LOGITS_AT_ONCE // size)
    kind = products or hidden.dtype
    sums = torch.promote_types(hidden.dtype, torch.float32)
    matrix = output.matrix.to(kind)
    bias = None if output.bias is None else output.bias.to(kind)
    found = _Found(hidden.new_zeros((), dtype=sums))
    if with_gradients:
        found = _Found(found.loss, *map(_nothing, (hidden, *output)))
    for start in range(0, len(targets), rows):
        inputs, expected = (
            hidden[start : start + rows].to(kind),
            targets[start : start + rows, None],
        )
        logits = functional.linear(inputs, matrix, bias).to(sums)
        logs = logits.log_softmax(dim=1)
        found.loss.sub_(logs.gather(1, expected).sum(), alpha=1 - smoothing)
        if smoothing:
            found.loss.sub_(logs.sum(), alpha=smoothing / size)
        if found.hidden is None or found.matrix is None:
            continue
        errors = logs.exp_()  # the gradient by a logit: what was said less what should have been
        wanted = torch.full_like(expected, smoothing - 1, dtype=errors.dtype)
        errors.scatter_add_(1, expected, wanted)
        if smoothing:
            errors.sub_(smoothing / size)
        if found.bias is not None:
            found.bias.add_(errors.sum(dim=0))
        errors = errors.to(kind)
        found.hidden[start : start + rows] = errors @ matrix
        if kind == found.matrix.dtype:
            found.matrix.addmm_(errors.t(), inputs)
        else:
            found.matrix.add_(errors.t() @ inputs)
    return found


def _nothing(like: Tensor | None) -> Tensor | None:
    return None if like is None else torch.zeros_like(like)
