"""Each optimizer of the catalogue: stopped within an epoch and gone on, it ends the same."""

from typing import Any

import pytest
import torch

from service.training.state import place_optimizer, read_header
from tests.training.parts import CATALOGUE, MemoryRecorder, a_spec, build, image_data, run

OPTIMIZERS = [info.type for info in CATALOGUE.infos("optimizer")]
CNN: dict[str, Any] = {
    "type": "cnn",
    "stem_channels": 4,
    "blocks": [{"channels": 4}],
    "hidden_sizes": [8, 8],
}


def ends(stop: int | None, **options: Any) -> MemoryRecorder:
    """Train a small network, and if told, stop before a step and go on from the bytes."""
    data = image_data()
    spec = a_spec(data, CNN, batch_size=16, epochs=3, **options)
    _, recorder, _ = run(spec, data, orders={stop: "pause"} if stop else None)
    if stop:
        return run(spec, data, resume=recorder.drafts[-1])[1]
    return recorder


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_that_was_stopped_goes_on_with_the_same_bits(optimizer: str) -> None:
    whole, resumed = (ends(stop, optimizer={"type": optimizer}) for stop in (None, 3))

    assert resumed.drafts[-1] == whole.drafts[-1]


def test_both_learning_rates_of_muon_follow_the_schedule() -> None:
    linear = {"type": "cosine", "warmup_steps": 3}
    last = ends(None, optimizer={"type": "muon"}, schedule=linear).drafts[-1]

    rates = [group["lr"] for group in read_header(last.state)["optimizer"]["groups"]]

    base = [0.02, 0.006, 0.006]
    assert rates == pytest.approx([rate * rates[0] / base[0] for rate in base])
    assert rates[0] < 0.02


def test_what_an_optimizer_keeps_from_the_first_lies_as_its_parameters() -> None:
    data = image_data()
    built = build(a_spec(data, CNN, optimizer={"type": "adagrad"}), data)
    built.model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    place_optimizer(built.optimizer)

    sums = {tensor: kept["sum"] for tensor, kept in built.optimizer.state.items()}
    assert len(sums) == len(list(built.model.parameters()))
    assert all(kept.stride() == tensor.stride() for tensor, kept in sums.items())
