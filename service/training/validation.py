"""What the validation data say, and whether that is better than before."""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import hashlib
import math
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import nn

from service.domain.evaluations import Evaluation, smaller_is_better
from service.tasks.base import Batch, Examples, Task

ResultT = TypeVar("ResultT")


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Move a batch to where the model is."""
    return Batch(batch.inputs.to(device), batch.targets.to(device), batch.weight)


def evaluate(
    model: nn.Module, task: Task, examples: Examples, *, batch_size: int, seed: int
) -> dict[str, float]:
    """Return the validation metrics; leaves the model in training mode, random states untouched."""
    return _looking(task.evaluate, model, examples, batch_size=batch_size, seed=seed)


def assess(
    model: nn.Module, task: Task, examples: Examples, *, batch_size: int, seed: int
) -> Evaluation:
    """Tell what a model is worth: a function of its weights and the data, as `evaluate` is."""
    return _looking(task.assess, model, examples, batch_size=batch_size, seed=seed)


def _looking(
    look: Callable[[nn.Module, Iterator[Batch]], ResultT],
    model: nn.Module,
    examples: Examples,
    *,
    batch_size: int,
    seed: int,
) -> ResultT:
    """Show a model the validation data.

    Random initial states are drawn from a stream of their own, so that metrics of equal weights are
    equal and training goes on as if nobody had looked.
    """
    device = next(model.parameters()).device
    model.eval()
    with (
        torch.random.fork_rng([device] if device.type == "cuda" else []),
        torch.inference_mode(),
    ):
        torch.manual_seed(stream_seed(seed, "validation"))
        batches = (on_device(batch, device) for batch in examples.in_order(batch_size))
        result = look(model, batches)
    model.train()
    return result


def is_better(metric: str, value: float, best: float | None) -> bool:
    """Tell whether a metric improved. NaN never does, unless there was nothing before."""
    if best is None:
        return True
    return value < best if smaller_is_better(metric) else value > best


def finite_or_none(value: float) -> float | None:
    """Return a number that can be remembered as the best, or None."""
    return value if math.isfinite(value) else None


def stream_seed(seed: int, stream: str) -> int:
    """Derive the seed of one random stream, so that no two streams repeat each other's numbers."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{stream}".encode()).digest()[:8], "big")
