"""Each optimizer and schedule: stopped within an epoch and gone on, a run ends the same."""

from typing import Any

import pytest
import torch

from service.training.state import place_optimizer, read_header
from tests.training.parts import CATALOGUE, MemoryRecorder, a_spec, build, image_data, run

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIMIZERS = [info.type for info in CATALOGUE.infos("optimizer")]
SCHEDULES = [info.type for info in CATALOGUE.infos("schedule")]
CNN: dict[str, Any] = {
    "type": "cnn",
    "stem_channels": 4,
    "blocks": [{"channels": 4}],
    "hidden_sizes": [8, 8],
}


def ends(stop: int | None, **options: Any) -> MemoryRecorder:
    """Train a small network, and if told, stop before a step and go on from the bytes."""
    data = image_data()
    chosen: dict[str, Any] = {"batch_size": 16, "epochs": 3, **options}
    spec = a_spec(data, CNN, **chosen)
    _, recorder, _ = run(spec, data, orders={stop: "pause"} if stop else None)
    if stop:
        return run(spec, data, resume=recorder.drafts[-1])[1]
    return recorder


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_that_was_stopped_goes_on_with_the_same_bits(optimizer: str) -> None:
    whole, resumed = (ends(stop, optimizer={"type": optimizer}) for stop in (None, 3))

    assert resumed.drafts[-1] == whole.drafts[-1]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_that_was_stopped_goes_on_with_the_same_rates(schedule: str) -> None:
    whole, resumed = (ends(stop, schedule={"type": schedule}) for stop in (None, 9))

    assert resumed.drafts[-1] == whole.drafts[-1]


@pytest.mark.parametrize("stop", [4, 9, 15])
def test_a_plateau_is_remembered_across_a_resume(stop: int) -> None:
    plateau = {"type": "plateau", "patience": 1, "factor": 0.25}
    still = {"type": "sgd", "lr": 1e-30}  # epochs hold 6 steps; the first is better than none
    whole, resumed = (ends(stop, optimizer=still, schedule=plateau) for stop in (None, stop))

    seen = read_header(whole.drafts[-1].state)["schedule"]
    assert (seen["waited"], seen["drops"]) == (0, 2)
    assert whole.series("lr")[18] == pytest.approx(1e-30 * 0.25)
    assert resumed.drafts[-1] == whole.drafts[-1]
    assert resumed.series("lr").items() <= whole.series("lr").items()


def test_a_plateau_looks_at_the_end_of_epochs_alone() -> None:
    plateau = {"type": "plateau", "patience": 1}
    still = {"type": "sgd", "lr": 1e-30}

    last = ends(None, optimizer=still, schedule=plateau, epochs=None, max_steps=15).drafts[-1]

    assert last.step == 15
    assert read_header(last.state)["schedule"]["drops"] == 1


def test_both_learning_rates_of_muon_follow_the_schedule() -> None:
    last = ends(None, optimizer={"type": "muon"}, schedule={"type": "cosine"}).drafts[-1]

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
