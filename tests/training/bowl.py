"""A bowl, ½ Σ c w²: descent on it is stable below lr 2 / max(c), so what is good is known."""

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from service.catalogue import Trainable
from service.domain.jobs import Baseline
from service.optimizers.ranges import RangeTest
from service.tasks.base import Batch, Task
from service.training.range_test import Picked, pick
from service.training.state import TrainingState
from tests.training.parts import CPU, MemoryRecorder, a_spec, image_data


class Bowl(nn.Module):
    """The point that rolls down."""

    def __init__(self, curvatures: Sequence[float], start: Tensor) -> None:
        super().__init__()
        self.curvatures = torch.tensor(curvatures)
        self.w = nn.Parameter(start)


class _Height:
    """A task whose loss is how high the point lies, whatever the batch."""

    def loss(
        self, model: nn.Module, batch: Batch, carry: Tensor | None, *, label_smoothing: float = 0.0
    ) -> tuple[Tensor, None]:
        del batch, carry, label_smoothing
        bowl = cast("Bowl", model)
        return 0.5 * (bowl.curvatures * bowl.w**2).sum(), None


class _NoExamples:
    """Batches of nothing."""

    def steps_per_epoch(self, batch_size: int) -> int:
        return 10 * batch_size

    def batch(self, *, epoch: int, position: int, batch_size: int, seed: int) -> Batch:
        del epoch, position, batch_size, seed
        return Batch(torch.zeros(1), torch.zeros(1), 1)

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        del batch_size
        yield from ()


def picked_in(curvatures: Sequence[float], *, steps: int, seed: int = 0) -> Picked:
    """Run a range test of plain descent in a bowl, from a random point."""
    start = torch.randn(len(curvatures), generator=torch.Generator().manual_seed(seed))
    model = Bowl(curvatures, start)
    test = RangeTest(steps=steps, batches=1, default=0.1, low=1e-4, high=100.0)
    optimizer = SGD(model.parameters(), lr=test.default)
    schedule = LambdaLR(optimizer, lambda _: 1.0)
    trainable = Trainable(
        task=cast("Task", _Height()),
        train=_NoExamples(),
        validation=_NoExamples(),
        baseline=Baseline(name="none", metrics={}),
        model=model,
        optimizer=optimizer,
        schedule=schedule,
        full_batch=False,
        steps_per_epoch=10,
        steps=1000,
        epochs=100,
        range_test=test,
    )
    state = TrainingState(
        model=model, optimizer=optimizer, schedule=schedule, device=CPU, environment={}
    )
    spec = a_spec(image_data(), {"type": "mlp"}, batch_size=1)
    return pick(test, trainable, state, spec, MemoryRecorder())
