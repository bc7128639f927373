"""The range test (Smith 2017, section 3.3): a short training at ever larger lr picks one.

It trains as the run will, on a draw of the training data of its own, and is undone: weights,
optimizer and random numbers are afterwards what they were, bit for bit. What it finds is a function
of the spec and the machine: a run that dies before its first checkpoint finds the same again.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from itertools import chain, pairwise
from statistics import median
from typing import NamedTuple

import torch
from pydantic import JsonValue
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from service.catalogue import Trainable
from service.domain.jobs import JobSpec
from service.domain.ports import Command, Recorder
from service.optimizers.plateau import set_rates
from service.optimizers.ranges import RangeTest
from service.tasks.base import Batch
from service.training.failures import LossNotFinite
from service.training.state import Cursor, TrainingState
from service.training.step import train_step
from service.training.validation import finite_or_none, on_device, stream_seed

DIVERGED = 4
"""The test ends where a loss is so many times the least before."""
_SETTLING = 5  # steps in which one batch may still be much worse than another
_LEAST_FALL = 0.02  # of the first loss
_NOISE = 5  # so many times what smoothed losses differ by, by chance, is a fall
_FEWEST_POINTS = 5
_LOWER = 2  # so often a test is done again with smaller rates, where it began with too large ones
_HISTORY = 10  # so much smaller must the first lr be than that at half of the fall
_TOO_SOON = 10  # steps after which losses that explode leave hardly a curve
_WIDTH = 0.8  # of the bell that smooths, in natural logarithms of lr
_STEPS = 3  # with the lr that is picked go as far as the test until the loss fell half way


class Ordered(Exception):  # noqa: N818  control flow: an order came before the first step
    """The test was not finished, and the run has not begun."""

    def __init__(self, command: Command) -> None:
        super().__init__(command)
        self.command: Command = command


class Curve(NamedTuple):
    """The loss of a step at each learning rate; the last may be NaN."""

    rates: list[float]
    losses: list[float]


class Picked(NamedTuple):
    """What was picked, why, and of what."""

    lr: float
    reason: str
    curve: Curve

    def data(self) -> dict[str, JsonValue]:
        """Write it as the data of an event."""
        curve: dict[str, JsonValue] = {
            "lr": [_rounded(rate) for rate in self.curve.rates],
            "loss": [finite_or_none(loss) for loss in self.curve.losses],
        }
        return {"lr": self.lr, "reason": self.reason, "curve": curve}


def pick(
    test: RangeTest, trainable: Trainable, state: TrainingState, spec: JobSpec, recorder: Recorder
) -> Picked:
    """Run the test, undo it, and give the run the lr that it picked. Raises Ordered."""
    curve = _undone_sweep(test, trainable, state, spec, recorder)
    for _ in range(_LOWER):
        if not _too_high(curve):
            break
        test = test.lower()
        below = _undone_sweep(test, trainable, state, spec, recorder)
        if not _too_high(below) and _half_way(below) is None:
            break  # so little happens there that the first was right
        curve = below
    lr, reason = choose(curve, default=test.default)
    groups = state.optimizer.param_groups
    for group, follows in zip(groups, _follow(state.optimizer), strict=True):
        group["initial_lr"] = lr if follows else group["initial_lr"]
    state.schedule.base_lrs = [group["initial_lr"] for group in groups]
    set_rates(state.schedule)
    return Picked(lr, reason, curve)


def choose(curve: Curve, *, default: float) -> tuple[float, str]:
    """Choose the lr with which a few steps go as far as the test until the loss fell half way.

    That it goes by distance makes tests of few and of many steps agree: rates that grow by g at a
    step add up to the last one times 1 / (1 - 1 / g).
    """
    if len(_finite(curve)) < _FEWEST_POINTS:
        return _rounded(default), "the loss was hardly ever finite: the optimizer's own lr"
    half = _half_way(curve)
    if half is None:
        return _own(curve, default), "the loss fell at no lr: the optimizer's own lr, or less"
    growth = curve.rates[1] / curve.rates[0]
    distance = curve.rates[half] / (1 - 1 / growth)
    return _rounded(
        distance / _STEPS
    ), "three steps with it go as far as the test until half of the fall"


def _half_way(curve: Curve) -> int | None:
    """Find the step at which the smoothed loss has fallen half way; None if it never fell.

    Half of a fall is found in noisy losses, too; where it is steepest, is not.
    """
    losses = _finite(curve)
    if len(losses) < _FEWEST_POINTS:
        return None
    # What explodes at the end says nothing about where the loss was least, however much it is.
    beginning = losses[: max(3, len(losses) // 5)]
    start = sum(beginning) / len(beginning)
    logs = [math.log(rate) for rate in curve.rates[: len(losses)]]
    smooth = _smoothed(logs, [min(loss, start) for loss in losses])
    least = min(smooth)
    fall = smooth[0] - least
    noise = median(abs(one - other) for one, other in pairwise(losses))
    alike = max(1.0, 3 * _WIDTH / (logs[1] - logs[0]))  # losses that are smoothed into one
    if fall <= max(_LEAST_FALL * smooth[0], _NOISE * noise / math.sqrt(alike)):
        return None
    return next(n for n, loss in enumerate(smooth) if loss <= least + fall / 2)


def _too_high(curve: Curve) -> bool:
    """Tell whether the loss fell, or exploded, where the range had hardly begun."""
    half = _half_way(curve)
    if half is None:
        return len(curve.rates) < _TOO_SOON
    return curve.rates[half] < _HISTORY * curve.rates[0]


def _finite(curve: Curve) -> list[float]:
    return [loss for loss in curve.losses if math.isfinite(loss)]


def _own(curve: Curve, default: float) -> float:
    """Return the optimizer's own lr, if that is well below the one that ended the test."""
    return _rounded(min(default, curve.rates[-1] / 10))


def _rounded(lr: float) -> float:
    return float(f"{lr:.3g}")


def _smoothed(logs: Sequence[float], losses: Sequence[float]) -> list[float]:
    """Average each loss with its neighbours on both sides; a running mean would lag behind."""
    smooth: list[float] = []
    for here in logs:
        weights = [math.exp(-(((there - here) / _WIDTH) ** 2) / 2) for there in logs]
        total = sum(weight * loss for weight, loss in zip(weights, losses, strict=True))
        smooth.append(total / sum(weights))
    return smooth


@contextmanager
def _undone(state: TrainingState, seed: int) -> Generator[None]:
    """Undo what happens to weights, optimizer and random numbers, which begin at `seed`."""
    tensors = [*chain(state.model.parameters(), state.model.buffers())]
    before = [tensor.detach().clone() for tensor in tensors]
    optimizer = deepcopy(state.optimizer.state_dict())
    with torch.random.fork_rng([state.device] if state.device.type == "cuda" else []):
        torch.manual_seed(seed)
        try:
            yield
        finally:
            with torch.no_grad():
                for tensor, value in zip(tensors, before, strict=True):
                    tensor.copy_(value)
            state.optimizer.zero_grad(set_to_none=True)
            state.optimizer.load_state_dict(optimizer)


def _undone_sweep(
    test: RangeTest, trainable: Trainable, state: TrainingState, spec: JobSpec, recorder: Recorder
) -> Curve:
    with _undone(state, stream_seed(spec.training.seed, "range_test")):
        return _sweep(test, trainable, state, spec, recorder)


def _sweep(
    test: RangeTest, trainable: Trainable, state: TrainingState, spec: JobSpec, recorder: Recorder
) -> Curve:
    """Train while lr grows by the same factor at every step, until the loss explodes."""
    schedule = _growing(state.optimizer, test)
    trial = replace(state, schedule=schedule, cursor=Cursor(), carry=None, average=None)
    batches = trainable.train.steps_per_epoch(spec.training.batch_size)
    curve = Curve([], [])
    for step in range(test.steps):
        if (command := recorder.command()) is not None:
            raise Ordered(command)
        first = step * test.batches
        places = [divmod(first + more, batches) for more in range(test.batches)]
        if trainable.full_batch or places[0][1] == 0:
            trial.carry = None
        curve.rates.append(float(state.optimizer.param_groups[0]["lr"]))
        try:
            result = train_step(
                trial,
                _batches(trainable, state.device, spec, places),
                trainable.task,
                gradient_clip=spec.training.gradient_clip,
                label_smoothing=spec.training.label_smoothing,
                accumulate=trainable.full_batch,
            )
        except LossNotFinite:
            curve.losses.append(math.nan)
            break
        curve.losses.append(result.loss)
        if step >= _SETTLING and result.loss > DIVERGED * min(curve.losses):
            break
    return curve


def _batches(
    trainable: Trainable, device: torch.device, spec: JobSpec, places: Iterable[tuple[int, int]]
) -> Iterator[Batch]:
    seed = stream_seed(spec.training.seed, "range_test")  # another order than the run's
    for epoch, position in places:
        batch = trainable.train.batch(
            epoch=epoch, position=position, batch_size=spec.training.batch_size, seed=seed
        )
        yield on_device(batch, device)


def _growing(optimizer: Optimizer, test: RangeTest) -> LambdaLR:
    """Make the schedule of the test.

    Groups that have a learning rate of their own grow with it: at their own they would learn, and
    the curve tell of them.
    """
    low = test.low / test.default
    return LambdaLR(optimizer, lambda step: low * test.growth**step)


def _follow(optimizer: Optimizer) -> list[bool]:
    """Tell of each parameter group whether it has the `lr` that is picked, as the first has."""
    rates = [group["initial_lr"] for group in optimizer.param_groups]
    return [rate == rates[0] for rate in rates]
