"""The range test: it leaves no trace but the lr it picks, the same every time, and a good one."""

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.datasets.base import Data
from service.domain.jobs import JobSpec
from service.domain.requests import Ema
from service.training.loop import Outcome
from service.training.range_test import Curve, Picked, choose
from tests.training.bowl import picked_in
from tests.training.parts import (
    CATALOGUE,
    MemoryRecorder,
    a_policy,
    a_spec,
    image_data,
    run,
    text_data,
)

pytestmark = pytest.mark.usefixtures("one_thread")

MLP: dict[str, Any] = {"type": "mlp", "hidden_sizes": [16], "dropout": 0.5, "batch_norm": True}
RNN: dict[str, Any] = {"type": "rnn", "hidden_size": 8}
CNN: dict[str, Any] = {"type": "cnn", "stem_channels": 4, "blocks": [{"channels": 4}]}
OPTIMIZERS = [info.type for info in CATALOGUE.infos("optimizer")]


def a_case(data: Data, architecture: dict[str, Any], lr: Any = "auto", **options: Any) -> JobSpec:
    chosen: dict[str, Any] = {"batch_size": 8, "epochs": 4, **options}
    optimizer = {"type": "sgd", **chosen.pop("optimizer", {}), "lr": lr}
    return a_spec(data, architecture, optimizer=optimizer, **chosen)


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

    assert tested.drafts == plain.drafts  # weights, optimizer, random numbers: all bits
    assert tested.exact_points() == plain.exact_points()
    assert [each["lr"] for each in told(tested)] == [lr]
    assert told(plain) == []


@pytest.mark.parametrize("name", ["sgd", "muon", "gd", "carried"])
def test_the_same_job_finds_the_same_and_another_seed_another_curve(name: str) -> None:
    data, architecture, options = CASES[name]

    once, again, other = (
        told(run(a_case(data, architecture, seed=seed, **options), data)[1]) for seed in (7, 7, 8)
    )

    assert once == again
    assert once != other


@settings(max_examples=25, deadline=None)
@given(
    steepest=st.floats(-2, 7),
    condition=st.floats(0.5, 3),
    seed=st.integers(0, 99),
    steps=st.sampled_from([20, 30, 100]),
)
def test_in_a_bowl_the_lr_is_stable_and_not_far_from_the_best(
    steepest: float, condition: float, seed: int, steps: int
) -> None:
    curvatures = [10 ** (steepest - condition * part / 9) for part in range(10)]

    lr = picked_in(curvatures, steps=steps, seed=seed).lr

    assert 0.05 / max(curvatures) <= lr < 2 / max(curvatures)


def test_a_run_that_goes_on_keeps_its_lr_and_has_no_other_test() -> None:
    data = image_data()
    spec = a_case(data, MLP, schedule={"type": "cosine"}, checkpoint=a_policy(every_steps=3))
    _, whole, _ = run(spec, data)
    draft = whole.drafts[1]

    _, resumed, _ = run(spec, data, resume=draft)

    assert resumed.drafts == whole.drafts[2:]
    assert resumed.runs[0].lr == whole.runs[0].lr
    assert told(resumed) == []


@pytest.mark.parametrize("order", ["cancel", "pause", "drain"])
def test_an_order_ends_the_test_and_leaves_nothing_behind(order: Any) -> None:
    data = image_data()

    outcome, recorder, _ = run(a_case(data, MLP), data, orders={4: order})

    assert outcome == Outcome(order)
    assert (recorder.events, recorder.runs, recorder.drafts) == ([], [], [])


def test_the_schedule_multiplies_what_was_picked() -> None:
    data = image_data()
    one_cycle = {"type": "one_cycle", "initial_factor": 0.5}

    _, recorder, _ = run(a_case(data, MLP, schedule=one_cycle, epochs=5), data)

    rates, lr = recorder.series("lr"), recorder.runs[0].lr
    assert lr is not None
    assert 0.8 * lr < max(rates.values()) <= lr
    assert rates[max(rates)] < 0.1 * lr


def test_muon_keeps_the_rate_that_was_given_for_the_rest() -> None:
    data = image_data()
    muon = {"type": "muon", "adamw_lr": 0.003}

    _, recorder, trainable = run(a_case(data, MLP, optimizer=muon, epochs=12), data)

    assert [group["initial_lr"] for group in trainable.optimizer.param_groups] == [
        recorder.runs[0].lr,
        0.003,
        0.003,
    ]


RATES = [10 ** (n / 10 - 4) for n in range(60)]


def lr_of(losses: list[float], default: float = 0.1) -> float:
    return choose(Curve(RATES[: len(losses)], losses), default=default)[0]


def test_where_the_loss_never_falls_the_optimizers_own_lr_is_taken() -> None:
    assert lr_of([2.0] * 60) == 0.1
    assert lr_of([0.0] * 60) == 0.1
    assert lr_of([2.0 + n / 10 for n in range(60)]) == 0.1


def test_where_the_loss_explodes_without_a_fall_a_tenth_of_there_is_the_most() -> None:
    assert lr_of([2.0] * 20 + [9.0, math.nan]) == pytest.approx(RATES[21] / 10, rel=0.01)


def test_where_no_loss_is_finite_the_optimizers_own_lr_is_taken() -> None:
    assert lr_of([math.nan]) == 0.1
    assert lr_of([2.0, math.nan]) == 0.1


def test_noise_is_hardly_ever_taken_for_a_fall() -> None:
    noises = [random.Random(seed) for seed in range(200)]

    picked = [lr_of([noise.gauss(3, 0.3) for _ in range(60)]) for noise in noises]

    assert sum(lr != 0.1 for lr in picked) <= 1


def test_an_explosion_at_the_end_changes_nothing() -> None:
    fall = [2.0] * 25 + [2.0 - n / 10 for n in range(15)]

    assert lr_of([*fall, 3.0]) == lr_of([*fall, 3e9]) == lr_of([*fall, 3e9, math.nan])


def test_the_curve_is_told_with_null_where_a_loss_is_not_finite() -> None:
    data = Picked(0.1, "", Curve([0.1, 0.2], [1.5, math.nan])).data()

    assert data["curve"] == {"lr": [0.1, 0.2], "loss": [1.5, None]}
