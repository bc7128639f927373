"""What a run tells as events: the end of each epoch, and how far it is, at whole percents."""

import math
from typing import Any

import pytest

from service.domain.ports import CheckpointDraft
from service.training.reports import Length, Reports
from service.training.state import Cursor
from tests.training.parts import MemoryRecorder, a_policy, a_spec, image_data, run

MLP: dict[str, Any] = {"type": "mlp", "hidden_sizes": [16]}


class InOrder(MemoryRecorder):
    """Also keeps in which order it was told of things."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def metrics(self, points: Any) -> None:
        super().metrics(points)
        self.order.append("metrics")

    def progress(self, progress: Any) -> None:
        super().progress(progress)
        self.order.append("progress")

    def event(self, happened: Any, data: Any) -> None:
        super().event(happened, data)
        self.order.append(happened)

    def checkpoint(self, draft: CheckpointDraft) -> None:
        super().checkpoint(draft)
        self.order.append("checkpoint")


def told(recorder: MemoryRecorder, wanted: str) -> list[dict[str, Any]]:
    return [data for happened, data in recorder.events if happened == wanted]


def test_each_epoch_ends_with_an_event_that_has_its_metrics() -> None:
    data = image_data()
    _, recorder, trainable = run(a_spec(data, MLP, epochs=3, batch_size=16), data)

    epochs = told(recorder, "epoch")
    assert [(each["epoch"], each["step"]) for each in epochs] == [
        (number, number * trainable.steps_per_epoch) for number in (1, 2, 3)
    ]
    losses = recorder.series("val_loss")
    assert [each["metrics"]["val_loss"] for each in epochs] == [
        losses[each["step"]] for each in epochs
    ]


def test_nothing_lies_between_the_event_of_an_epoch_and_its_checkpoint() -> None:
    data, recorder = image_data(), InOrder()
    run(a_spec(data, MLP, epochs=3), data, recorder=recorder)

    places = [number for number, what in enumerate(recorder.order) if what == "epoch"]
    assert len(places) == 3
    assert {recorder.order[place + 1] for place in places} == {"checkpoint"}


@pytest.mark.parametrize("order", ["pause", "drain"])
def test_an_order_at_the_end_of_an_epoch_does_not_end_it_twice(order: Any) -> None:
    data = image_data()
    spec = a_spec(data, MLP, batch_size=1000, epochs=3)  # every step ends an epoch

    _, recorder, _ = run(spec, data, orders={3: order})

    assert [each["epoch"] for each in told(recorder, "epoch")] == [1, 2]
    assert [draft.scheduled for draft in recorder.drafts] == [True, True, False]


def test_a_metric_that_is_not_finite_is_null() -> None:
    recorder = MemoryRecorder()
    reports = Reports(recorder, Cursor(), Length(1, 1, 1), clock=lambda: 0.0)

    reports.epoch({"val_loss": math.nan, "val_perplexity": math.inf, "val_accuracy": 0.5})

    [event] = told(recorder, "epoch")
    assert event["metrics"] == {"val_loss": None, "val_perplexity": None, "val_accuracy": 0.5}


def test_progress_is_told_at_whole_percents_and_at_most_once_a_second() -> None:
    data = image_data()
    ticks = iter(range(10**6))
    spec = a_spec(data, MLP, max_steps=300, batch_size=16, checkpoint=a_policy())

    _, recorder, _ = run(spec, data, clock=lambda: next(ticks) * 0.3)

    events = told(recorder, "progress")
    percents = [int(each["percent"]) for each in events]
    assert percents == sorted(set(percents))
    assert 30 < len(events) <= 100
    assert len(events) < len(recorder.reported)
    assert all(math.isfinite(each["train_loss"]) for each in events[10:])


def test_a_slow_run_tells_its_progress_every_half_minute() -> None:
    data = image_data()
    ticks = iter(range(10**6))
    spec = a_spec(data, MLP, max_steps=1000, batch_size=16, checkpoint=a_policy())

    _, recorder, _ = run(spec, data, orders={9: "pause"}, clock=lambda: next(ticks) * 20.0)

    events = told(recorder, "progress")
    assert len(events) >= 8
    assert {int(each["percent"]) for each in events} == {0}


def test_a_quick_run_tells_nothing_of_its_progress() -> None:
    data = image_data()
    _, recorder, _ = run(a_spec(data, MLP), data, clock=lambda: 0.0)

    assert told(recorder, "progress") == []
