"""In which precision matrices are multiplied: float32, or bfloat16 where that trains faster.

In bfloat16 the weights, their gradients, the optimizer, sums, softmax and norms stay in float32,
and so does all validation: a model is judged as it is served (mixed precision, Micikevicius et al.
2018; in bfloat16 without scaling of the loss, Kalamkar et al. 2019).
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from typing import cast

import torch
from torch import nn

from service.catalogue import Trainable
from service.domain.environments import Environment
from service.domain.jobs import JobSpec
from service.domain.requests import Computed
from service.tasks.base import Batch
from service.training.device import has_bfloat16, is_small
from service.training.failures import PrecisionNotAvailable
from service.training.validation import on_device, stream_seed

_ROUNDS, _SECONDS = 3, 2.0
"""A trial has so many rounds, or fewer if they take so long; each trains once in both ways."""
_WORTH = 0.9
"""Of the time in float32: bfloat16 must take less, for it also costs some accuracy."""


def mixed(device: torch.device, precision: Computed) -> AbstractContextManager[object]:
    """Give the context in which a loss is computed; its gradients follow by themselves."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def choose_precision(
    trainable: Trainable, spec: JobSpec, device: torch.device, *, before: Environment | None
) -> Computed:
    """Resolve `auto`: as `before`, else by a trial. Raises PrecisionNotAvailable.

    The trial trains on a copy, and leaves no trace in model, data or random numbers.
    """
    choice = spec.training.precision
    if choice == "bfloat16" and not has_bfloat16(device):
        raise PrecisionNotAvailable(choice, str(device))
    if choice != "auto":
        return choice
    if before is not None and before.get("precision") in {"float32", "bfloat16"}:
        return cast("Computed", before["precision"])
    if not has_bfloat16(device) or is_small(trainable.model):
        return "float32"
    options = spec.training
    batch = trainable.train.batch(
        epoch=0, position=0, batch_size=options.batch_size, seed=options.seed
    )
    batch = on_device(batch, device)
    model = deepcopy(trainable.model).train()

    def train(precision: Computed) -> None:
        _train_once(trainable, model, batch, device, precision)

    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(stream_seed(options.seed, "precision"))
        return _faster(train, device)


def _train_once(
    trainable: Trainable,
    model: nn.Module,
    batch: Batch,
    device: torch.device,
    precision: Computed,
) -> None:
    model.zero_grad(set_to_none=True)
    with mixed(device, precision):
        loss, _ = trainable.task.loss(model, batch, None)
    loss.backward()


def _faster(train: Callable[[Computed], None], device: torch.device) -> Computed:
    """Train in turns, and compare the quickest of each: other work only ever makes it slower."""
    taken: dict[Computed, list[float]] = {"float32": [], "bfloat16": []}
    for precision, times in taken.items():
        times.append(_seconds(train, precision, device))
    first = sum(times.pop() for times in taken.values())  # which prepares kernels, too
    for _ in range(max(1, min(_ROUNDS, int(_SECONDS / max(first, 1e-9))))):
        for precision, times in taken.items():
            times.append(_seconds(train, precision, device))
    ratio = min(taken["bfloat16"]) / min(taken["float32"])
    return "bfloat16" if ratio < _WORTH else "float32"


def _seconds(train: Callable[[Computed], None], precision: Computed, device: torch.device) -> float:
    began = time.perf_counter()
    train(precision)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    if device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter() - began
