"""Micro-batches without a delay: a batch is whatever waits when the model becomes free.

One thread runs the models of a process, so that predictions never fight each other for the cores.
While it rests, what is short is computed on the event loop itself: to wake a thread and to be woken
takes longer than a small model, and two threads fight for the interpreter.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import nn

from service.domain.predictions import Prediction, Timings
from service.domain.problems import Busy
from service.prediction.costs import Costs
from service.store.deadline import too_late
from service.tasks.base import Encoded, Task, join
from service.tasks.prefixes import work_of

ResultT = TypeVar("ResultT")
MAX_BATCH = 32
"""Inputs that go through a model together, if no single request brings more."""

SHORT_SECONDS = 0.015
"""What a batch may take on the event loop, where nobody else is served meanwhile."""

MAX_WAITING = 4096
"""Inputs that may wait for all models together."""


_TURNS = 2
"""Of the event loop, before a batch is taken: so many does a request need to come this far, and
those that arrived on other connections at the same moment join."""


class Loaded(NamedTuple):
    """A model with its weights, and the task that knows what goes in and out."""

    model: nn.Module
    task: Task


class Answer(NamedTuple):
    """The predictions for one request. Times are of the monotonic clock, in seconds."""

    predictions: list[Prediction]
    began: float
    ended: float
    batch_size: int

    def timings(self, *, started: float) -> Timings:
        """Tell where the time went since a request came."""
        return Timings(
            queue_ms=_milliseconds(self.began - started),
            model_ms=_milliseconds(self.ended - self.began),
            total_ms=_milliseconds(time.perf_counter() - started),
            batch_size=self.batch_size,
        )


class OnModelThread(Protocol):
    """Does some work on the thread of the models."""

    def __call__(self, work: Callable[[], ResultT]) -> Awaitable[ResultT]:
        """Do it when its turn comes."""
        ...


class _Way(NamedTuple):
    """What requests must have in common to be answered together."""

    model: int
    top_k: int
    special_tokens: bool
    temperature: float


class _Waiting(NamedTuple):
    loaded: Loaded
    encoded: Encoded
    answered: asyncio.Future[Answer]
    wanted: Callable[[], bool]

    def is_wanted(self) -> bool:
        """Tell whether somebody still waits for the answer; who waited too long is told so."""
        if not self.answered.done() and not self.wanted():
            self.answered.set_exception(too_late())
        return not self.answered.done()


def always() -> bool:
    """Say that an answer is wanted, however late."""
    return True


class Batcher:
    """Answers encoded inputs. Called on the event loop; the models run beside it."""

    def __init__(self, processes: int = 1) -> None:
        self._thread = ThreadPoolExecutor(
            1,
            thread_name_prefix="model",
            initializer=partial(_leave_room_for_requests, processes),
        )
        self._queues: OrderedDict[_Way, deque[_Waiting]] = OrderedDict()
        self._waiting = 0
        self._costs = Costs()
        self._at_work: list[Future[Any]] = []
        self._worker: asyncio.Task[None] | None = None

    async def answer(
        self,
        loaded: Loaded,
        encoded: Encoded,
        *,
        top_k: int,
        special_tokens: bool,
        temperature: float = 1.0,
        wanted: Callable[[], bool] = always,
    ) -> Answer:
        """Run the model on these inputs, perhaps together with those of others. Raises Busy.

        `temperature` divides the logits. Nothing is computed for what is not `wanted` any more when
        its turn comes.
        """
        count = len(encoded.lengths)
        if self._waiting and self._waiting + count > MAX_WAITING:
            raise Busy
        way = _Way(id(loaded.model), top_k, special_tokens, temperature)
        waiting = _Waiting(loaded, encoded, asyncio.get_running_loop().create_future(), wanted)
        self._queues.setdefault(way, deque()).append(waiting)
        self._waiting += count
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await waiting.answered

    async def run(self, work: Callable[[], ResultT]) -> ResultT:
        """Do some short work on the thread of the models, when its turn comes."""
        future = self._thread.submit(work)
        self._at_work = [each for each in (*self._at_work, future) if not each.done()]
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        """Answer until nobody waits. Ways take turns, so that none starves."""
        while self._queues:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            way, queue = self._queues.popitem(last=False)
            batch = _take(queue)
            if queue:
                self._queues[way] = queue
            self._waiting -= sum(len(each.encoded.lengths) for each in batch)
            batch = [each for each in batch if not each.answered.done()]
            if not batch:
                continue
            try:
                answers = await self._answered(way, batch)
            except BaseException as error:
                _fail(batch, error)
                if not isinstance(error, Exception):
                    raise
                continue
            for each, answer in zip(batch, answers, strict=True):
                if not each.answered.done():  # who asked may have gone away
                    each.answered.set_result(answer)

    async def _answered(self, way: _Way, batch: Sequence[_Waiting]) -> list[Answer]:
        """Answer a batch here, if it is short and the thread rests, else there."""
        model = batch[0].loaded.model
        size = sum(work_of(model, each.encoded) for each in batch)
        short = self._costs.expected(model, size) <= SHORT_SECONDS
        if short and all(each.done() for each in self._at_work):
            answers = _run_here(way, batch)
        else:
            answers = await self.run(partial(_run, way, batch))
        self._costs.learn(model, size, answers[0].ended - answers[0].began)
        return answers


def _leave_room_for_requests(processes: int) -> None:
    """Compute with half of the cores: with all of them, threads that wait for each other spin."""
    torch.set_num_threads(max(1, torch.get_num_threads() // (2 * processes)))


def _take(queue: deque[_Waiting]) -> list[_Waiting]:
    """Take what fits into a batch, at least one; who has gone away is let go with it."""
    batch: list[_Waiting] = []
    size = 0
    while queue and (not size or size + len(queue[0].encoded.lengths) <= MAX_BATCH):
        batch.append(queue.popleft())
        if batch[-1].is_wanted():
            size += len(batch[-1].encoded.lengths)
    return batch


def _fail(batch: Sequence[_Waiting], error: BaseException) -> None:
    for each in batch:
        if not each.answered.done():
            each.answered.set_exception(error)


def _run_here(way: _Way, batch: Sequence[_Waiting]) -> list[Answer]:
    """Answer a batch with one thread: more of them would take the cores from who asks."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _run(way, batch)
    finally:
        torch.set_num_threads(threads)


def _run(way: _Way, batch: Sequence[_Waiting]) -> list[Answer]:
    """Answer a batch, in the thread of the models."""
    began = time.perf_counter()
    model, task = batch[0].loaded
    encoded = join([each.encoded for each in batch])
    logits = task.infer(model, encoded)
    predictions = task.decode(
        logits if way.temperature == 1 else logits / way.temperature,
        encoded,
        top_k=way.top_k,
        special_tokens=way.special_tokens,
    )
    ended = time.perf_counter()
    answers: list[Answer] = []
    first = 0
    for each in batch:
        last = first + len(each.encoded.lengths)
        answers.append(Answer(predictions[first:last], began, ended, len(predictions)))
        first = last
    return answers


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 3)
