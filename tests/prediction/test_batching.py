"""A batch is whatever waits: shared, fair, bounded, and never mixing up answers."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from service.domain.predictions import LabelCandidate, Prediction
from service.domain.problems import Busy
from service.prediction.batching import MAX_BATCH, MAX_WAITING, Answer, Batcher, Loaded
from service.prediction.costs import Costs
from service.tasks.base import Encoded, Task
from service.tasks.prefixes import remember
from tests.prediction.test_writing import a_model


class Echo:
    """A task whose answer is its input; the first batch waits until the test lets it go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.free = threading.Event()
        self.batches: list[int] = []
        self.threads: list[str] = []

    def infer(self, model: nn.Module, encoded: Encoded) -> Tensor:
        del model
        self.begun.set()
        assert self.free.wait(30)
        self.batches.append(len(encoded.lengths))
        self.threads.append(threading.current_thread().name)
        return encoded.tensor

    def decode(
        self, logits: Tensor, encoded: Encoded, *, top_k: int, special_tokens: bool
    ) -> list[Prediction]:
        del encoded, special_tokens
        return [
            Prediction(
                candidates=[LabelCandidate(label=str(int(row[0])), probability=top_k, logprob=0)]
            )
            for row in logits
        ]


class Broken(Echo):
    """A task whose model fails."""

    def infer(self, model: nn.Module, encoded: Encoded) -> Tensor:
        del model, encoded
        message = "broken"
        raise RuntimeError(message)


def encoded(*values: int) -> Encoded:
    none: list[list[str]] = [[] for _ in values]
    return Encoded(torch.tensor(values).view(-1, 1), [1] * len(values), none, none)


def loaded(task: Echo) -> Loaded:
    return Loaded(nn.Identity(), cast("Task", task))


async def ask(batcher: Batcher, model: Loaded, *values: int, top_k: int = 1) -> Answer:
    return await batcher.answer(model, encoded(*values), top_k=top_k, special_tokens=False)


def labels(answer: Answer) -> list[str]:
    return [cast("LabelCandidate", each.candidates[0]).label for each in answer.predictions]


def run(task: Echo, requests: Sequence[tuple[int, ...]], **options: Any) -> list[Answer]:
    """Send requests at once, while the model is busy with the first."""

    async def main() -> list[Answer]:
        batcher, model = Batcher(), loaded(task)
        asked = [asyncio.ensure_future(ask(batcher, model, *each, **options)) for each in requests]
        await asyncio.to_thread(task.begun.wait, 30)
        task.free.set()
        return await asyncio.gather(*asked)

    return asyncio.run(main())


def test_what_waits_while_the_model_is_busy_goes_through_it_together() -> None:
    task = Echo()
    answers = run(task, [(number,) for number in range(6)])

    assert sorted(task.batches) in ([6], [1, 5])
    assert [labels(answer) for answer in answers] == [[str(number)] for number in range(6)]
    assert max(answer.batch_size for answer in answers) == max(task.batches)


def test_a_batch_ends_at_its_bound_but_a_request_is_never_split() -> None:
    task = Echo()
    large = tuple(range(MAX_BATCH + 5))
    answers = run(task, [(1,), large, (2,), (3, 4)])

    assert labels(answers[1]) == [str(number) for number in large]
    assert len(large) in task.batches
    assert [labels(answers[2]), labels(answers[3])] == [["2"], ["3", "4"]]


def test_only_who_asks_alike_is_answered_together() -> None:
    task = Echo()

    async def main() -> list[Answer]:
        batcher, model = Batcher(), loaded(task)
        asked = [asyncio.ensure_future(ask(batcher, model, 7, top_k=k)) for k in (1, 2, 1, 2)]
        await asyncio.to_thread(task.begun.wait, 30)
        task.free.set()
        return await asyncio.gather(*asked)

    answers = asyncio.run(main())
    assert [int(a.predictions[0].candidates[0].probability) for a in answers] == [1, 2, 1, 2]
    assert max(task.batches) == 2


def test_a_failing_model_fails_its_own_requests_only() -> None:
    async def main() -> list[Any]:
        batcher, good = Batcher(), Echo()
        good.free.set()
        asked = [ask(batcher, loaded(Broken()), 1), ask(batcher, loaded(good), 2)]
        return await asyncio.gather(*asked, return_exceptions=True)

    failed, answered = asyncio.run(main())
    assert isinstance(failed, RuntimeError)
    assert labels(answered) == ["2"]


def test_more_than_can_wait_is_refused_at_once() -> None:
    task = Echo()

    async def main() -> None:
        batcher, model = Batcher(), loaded(task)
        first = asyncio.ensure_future(ask(batcher, model, *range(MAX_WAITING)))
        await asyncio.to_thread(task.begun.wait, 30)
        waiting = asyncio.ensure_future(ask(batcher, model, *range(MAX_WAITING)))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await ask(batcher, model, 1)
        task.free.set()
        await asyncio.gather(first, waiting)

    asyncio.run(main())


def test_nothing_is_computed_for_who_went_away_while_waiting() -> None:
    task = Echo()

    async def main() -> list[Answer]:
        batcher, model = Batcher(), loaded(task)
        first = asyncio.ensure_future(ask(batcher, model, 0))
        await asyncio.to_thread(task.begun.wait, 30)
        gone = [asyncio.ensure_future(ask(batcher, model, *range(MAX_BATCH))) for _ in range(9)]
        asked = [asyncio.ensure_future(ask(batcher, model, number)) for number in (1, 2)]
        alone = asyncio.ensure_future(ask(batcher, model, 3, top_k=2))
        await asyncio.sleep(0)  # all of them wait
        for each in [*gone, alone]:
            each.cancel()
        await asyncio.sleep(0)
        task.free.set()
        return [await first, *await asyncio.gather(*asked)]

    answers = asyncio.run(main())

    assert [labels(each) for each in answers] == [["0"], ["1"], ["2"]]
    assert task.batches == [1, 2]


def test_nothing_is_computed_for_what_comes_too_late() -> None:
    task = Echo()

    async def main() -> tuple[Answer | BaseException, Answer | BaseException]:
        batcher, model = Batcher(), loaded(task)
        first = asyncio.ensure_future(ask(batcher, model, 0))
        await asyncio.to_thread(task.begun.wait, 30)
        late = batcher.answer(
            model, encoded(1), top_k=1, special_tokens=False, wanted=lambda: False
        )
        others = asyncio.gather(late, ask(batcher, model, 2), return_exceptions=True)
        await asyncio.sleep(0)  # both of them wait
        task.free.set()
        await first
        return await others

    late, answered = asyncio.run(main())

    assert isinstance(late, Busy)
    assert "deadline_ms" in str(late)
    assert isinstance(answered, Answer)
    assert labels(answered) == ["2"]
    assert task.batches == [1, 1]


def test_what_is_known_to_be_short_is_computed_at_once() -> None:
    task = Echo()
    task.free.set()

    async def main() -> None:
        batcher, model = Batcher(), loaded(task)
        for number in range(3):
            await ask(batcher, model, number)
        await ask(batcher, model, 1, 2)  # was never asked for as much

    asyncio.run(main())

    here = threading.current_thread().name
    assert [each == here for each in task.threads] == [False, True, True, False]


def test_a_text_that_is_remembered_tells_nothing_of_how_long_a_new_one_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = a_model("lstm")
    remember(loaded.model)
    learned: list[int] = []

    def learn(_self: Costs, _model: nn.Module, size: int, _seconds: float) -> None:
        learned.append(size)

    monkeypatch.setattr(Costs, "learn", learn)

    async def ask_each() -> None:
        batcher = Batcher()
        for text in ("I like rice", "I like rice", "I like rice and"):
            asked = loaded.task.encode([text])
            await batcher.answer(loaded, asked, top_k=1, special_tokens=False)
        batcher.close()

    asyncio.run(ask_each())

    assert learned == [4, 1, 1]


def test_two_models_never_run_at_the_same_time() -> None:
    task, begun, free = Echo(), threading.Event(), threading.Event()
    task.free.set()

    def work() -> None:
        begun.set()
        assert free.wait(30)

    async def main() -> None:
        batcher, model = Batcher(), loaded(task)
        await ask(batcher, model, 1)
        busy = asyncio.ensure_future(batcher.run(work))
        await asyncio.to_thread(begun.wait, 30)
        busy.cancel()  # who asked for it goes away, and it goes on
        asked = asyncio.ensure_future(ask(batcher, model, 2))
        for _ in range(9):  # more turns than it takes to be computed here
            await asyncio.sleep(0)
        free.set()
        assert labels(await asked) == ["2"]

    asyncio.run(main())

    assert threading.current_thread().name not in task.threads


def test_who_goes_away_disturbs_nobody() -> None:
    task = Echo()

    async def main() -> Answer:
        batcher, model = Batcher(), loaded(task)
        asked = [asyncio.ensure_future(ask(batcher, model, number)) for number in range(3)]
        await asyncio.to_thread(task.begun.wait, 30)
        asked[1].cancel()
        task.free.set()
        await asked[0]
        return await asked[2]

    assert labels(asyncio.run(main())) == ["2"]
