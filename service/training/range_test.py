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
from itertools import chain
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
_BELOW = 4  # so far below the lr of the least loss is what is picked, at least
_LEAST_FALL = 0.02  # of the first loss; a smaller one is noise
_FEWEST_POINTS = 5
_WIDTH = 0.4  # of the bell that smooths, in natural logarithms of lr


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
    with _undone(state, stream_seed(spec.training.seed, "range_test")):
        curve = _sweep(test, trainable, state, spec, recorder)
    lr, reason = choose(curve, default=test.default)
    groups = state.optimizer.param_groups
    for group, follows in zip(groups, _follow(state.optimizer), strict=True):
        group["initial_lr"] = lr if follows else group["initial_lr"]
    state.schedule.base_lrs = [group["initial_lr"] for group in groups]
    set_rates(state.schedule)
    return Picked(lr, reason, curve)


def choose(curve: Curve, *, default: float) -> tuple[float, str]:
    """Choose the lr at which the smoothed loss falls fastest, well below where it rises again."""
    losses = [loss for loss in curve.losses if math.isfinite(loss)]
    if len(losses) < _FEWEST_POINTS:
        return _own(curve, default), "the loss was hardly ever finite: the optimizer's own lr"
    smooth = _smoothed([math.log(rate) for rate in curve.rates[: len(losses)]], losses)
    lowest = min(range(len(smooth)), key=smooth.__getitem__)
    falls = [smooth[n] - smooth[n + 1] for n in range(lowest)]
    if not falls or smooth[0] - smooth[lowest] < _LEAST_FALL * smooth[0]:
        return _own(curve, default), "the loss fell at no lr: the optimizer's own lr"
    steepest = max(range(len(falls)), key=falls.__getitem__)
    lr = min(curve.rates[steepest], curve.rates[lowest] / _BELOW)
    return _rounded(lr), "where the loss fell fastest"


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
        # A step on many batches has the same ones each time, as those of the run have.
        epoch, position = (0, 0) if trainable.full_batch else divmod(step, batches)
        if position == 0:
            trial.carry = None
        places = [(epoch, position + more) for more in range(test.batches)]
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
    """Make the schedule of the test; groups that have a learning rate of their own keep it."""
    low = test.low / test.default

    def grown(step: int) -> float:
        return low * test.growth**step

    def still(step: int) -> float:
        del step
        return 1.0

    return LambdaLR(optimizer, [grown if follows else still for follows in _follow(optimizer)])


def _follow(optimizer: Optimizer) -> list[bool]:
    """Tell of each parameter group whether it has the `lr` that is picked, as the first has."""
    rates = [group["initial_lr"] for group in optimizer.param_groups]
    return [rate == rates[0] for rate in rates]
