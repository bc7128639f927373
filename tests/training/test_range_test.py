"""The range test: it leaves no trace but the lr it picks, the same every time, and a good one."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from service.datasets.base import Data
from service.domain.jobs import JobSpec
from service.domain.requests import Ema
from service.training.range_test import Curve, choose
from tests.training.parts import (
    CATALOGUE,
    MemoryRecorder,
    a_spec,
    image_data,
    run,
    text_data,
)

MLP: dict[str, Any] = {"type": "mlp", "hidden_sizes": [16], "dropout": 0.5, "batch_norm": True}
RNN: dict[str, Any] = {"type": "rnn", "hidden_size": 8}
CNN: dict[str, Any] = {"type": "cnn", "stem_channels": 4, "blocks": [{"channels": 4}]}
OPTIMIZERS = [info.type for info in CATALOGUE.infos("optimizer")]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def a_case(data: Data, architecture: dict[str, Any], lr: Any = "auto", **options: Any) -> JobSpec:
    optimizer = {"type": "sgd", **options.pop("optimizer", {}), "lr": lr}
    return a_spec(
        data, architecture, optimizer=optimizer, **{"batch_size": 8, "epochs": 4, **options}
    )


CASES: dict[str, tuple[Data, dict[str, Any], dict[str, Any]]] = {
    **{
        name: (image_data(), MLP, {"optimizer": {"type": name}, "epochs": 12})
        for name in OPTIMIZERS
    },
    "carried": (text_data("stream"), RNN, {"gradient_clip": 0.5, "batch_size": 4}),
    "averaged": (image_data(), CNN, {"ema": Ema(decay=0.8), "label_smoothing": 0.1}),
    "warmed up": (image_data(), MLP, {"schedule": {"type": "cosine", "warmup_steps": 3}}),
    "one cycle": (image_data(), MLP, {"schedule": {"type": "one_cycle"}}),
    "plateau": (image_data(), MLP, {"schedule": {"type": "plateau", "patience": 1}}),
}




def told(recorder: MemoryRecorder) -> list[dict[str, Any]]:
    return [data for happened, data in recorder.events if happened == "range_test"]


@pytest.mark.parametrize("name", CASES)
def test_a_run_is_the_same_as_with_the_number_that_was_picked(name: str) -> None:
    data, architecture, options = CASES[name]
    _, tested, _ = run(a_case(data, architecture, **options), data)
    lr = tested.runs[0].lr
    _, plain, _ = run(a_case(data, architecture, lr, **options), data)

    assert tested.drafts == plain.drafts
    assert tested.exact_points() == plain.exact_points()
    assert [each["lr"] for each in told(tested)] == [lr]
    assert told(plain) == []
