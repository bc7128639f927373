"""One optimizer step: all that varies comes in; no logging, no SQL, no choice of device."""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import math
from collections.abc import Iterable
from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from service.tasks.base import Batch, Task
from service.training.failures import LossNotFinite
from service.training.precision import mixed
from service.training.state import TrainingState, own


class StepResult(NamedTuple):
    """What a step saw: mean loss over `weight` targets, the gradient's norm before clipping."""

    loss: float
    weight: int
    batches: int
    examples: int
    gradient_norm: float
    lr: float


def train_step(
    state: TrainingState,
    batches: Iterable[Batch],
    task: Task,
    *,
    gradient_clip: float | None,
    label_smoothing: float = 0.0,
    accumulate: bool = False,
) -> StepResult:
    """Take one optimizer step on a batch or, with `accumulate`, on the mean over many.

    Raises LossNotFinite before any weight changes, so the model keeps its last good values.
    """
    state.optimizer.zero_grad(set_to_none=True)
    losses: list[Tensor] = []
    weights: list[int] = []
    examples = 0
    for batch in batches:
        with mixed(state.device, state.precision):
            loss, carry = task.loss(
                state.model, batch, state.carry, label_smoothing=label_smoothing
            )
        state.carry = None if carry is None else own(carry)  # as a resume finds it
        (loss * batch.weight if accumulate else loss).backward()
        losses.append(loss.detach())
        weights.append(batch.weight)
        examples += batch.inputs.shape[0]
    parameters = [each for each in state.model.parameters() if each.grad is not None]
    gradients = [each.grad for each in parameters if each.grad is not None]
    if accumulate:
        for gradient in gradients:
            gradient.div_(sum(weights))
    # The one wait for the device in a step; in return nothing non-finite reaches the weights.
    seen = cast("list[float]", torch.stack([*losses, get_total_norm(gradients)]).tolist())
    *values, norm = seen
    loss_sum = sum(value * weight for value, weight in zip(values, weights, strict=True))
    loss_mean = loss_sum / sum(weights)
    lr = float(state.optimizer.param_groups[0]["lr"])
    if not (math.isfinite(loss_mean) and math.isfinite(norm)):
        base_lr = float(state.schedule.base_lrs[0])
        raise LossNotFinite(
            step=state.cursor.step + 1, lr=lr, base_lr=base_lr, loss=loss_mean, gradient_norm=norm
        )
    if gradient_clip is not None and norm > gradient_clip:
        clip_grads_with_norm_(parameters, gradient_clip, torch.tensor(norm))
    state.optimizer.step()
    state.schedule.step()
    if state.average is not None:
        state.average.follow(state.model, state.cursor.step)
    return StepResult(loss_mean, sum(weights), len(losses), examples, norm, lr)
