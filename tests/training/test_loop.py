"""What the loop does and when: steps, reports, validation, checkpoints, orders, ends."""

import math
from typing import Any

import pytest
import torch
from safetensors.torch import load

from service.domain.requests import EarlyStopping
from service.training import device as devices
from service.training.failures import DeviceNotAvailable, LossNotFinite
from service.training.loop import Outcome, train
from tests.training.parts import MemoryRecorder, a_policy, a_spec, build, image_data, run, text_data

MLP: dict[str, Any] = {"type": "mlp", "hidden_sizes": [16]}
RNN: dict[str, Any] = {"type": "rnn", "hidden_size": 16}


def test_training_learns_and_beats_the_baseline() -> None:
    data = image_data()
    spec = a_spec(data, MLP, epochs=15, batch_size=16, best_metric="val_accuracy")

    outcome, recorder, trainable = run(spec, data)

    assert outcome == Outcome("finished")
    accuracy = max(recorder.series("val_accuracy").values())
    assert accuracy > trainable.baseline.metrics["val_accuracy"] + 0.3


def test_validation_comes_after_every_epoch_and_the_best_is_kept() -> None:
    data = image_data()
    _, recorder, trainable = run(a_spec(data, MLP, epochs=4, batch_size=16), data)

    per_epoch = trainable.steps_per_epoch
    losses = recorder.series("val_loss")
    assert sorted(losses) == [per_epoch * epoch for epoch in (1, 2, 3, 4)]
    assert [draft.epoch for draft in recorder.drafts] == [1, 2, 3, 4]
    best = [draft for draft in recorder.drafts if "best" in draft.kinds][-1]
    assert best.metrics["val_loss"] == min(losses.values())
    assert all("latest" in draft.kinds for draft in recorder.drafts)


def test_a_run_that_ends_within_an_epoch_is_validated_at_its_end() -> None:
    data = image_data()
    _, recorder, trainable = run(a_spec(data, MLP, max_steps=7, batch_size=16), data)

    assert trainable.steps == 7
    assert 7 in recorder.series("val_loss")
    assert 7 in recorder.series("train_loss")
    assert recorder.drafts[-1].step == 7
    assert recorder.reported[-1].percent == 100


def test_train_loss_is_the_mean_since_the_last_report() -> None:
    data = text_data()
    spec = a_spec(data, RNN, optimizer={"type": "sgd", "lr": 1e-30}, epochs=1, batch_size=8)

    _, recorder, trainable = run(spec, data)

    losses = recorder.series("train_loss")
    per_epoch = trainable.steps_per_epoch
    assert sorted(losses) == [*range(10, per_epoch, 10), *([per_epoch] if per_epoch % 10 else [])]
    assert set(losses) == set(recorder.series("lr")) == set(recorder.series("gradient_norm"))
    assert all(
        value == pytest.approx(next(iter(losses.values())), rel=0.2) for value in losses.values()
    )


def test_periodic_checkpoints_also_count_as_latest() -> None:
    data = image_data()
    spec = a_spec(data, MLP, max_steps=5, batch_size=16, checkpoint=a_policy(every_steps=2))

    _, recorder, _ = run(spec, data)

    assert [(draft.step, draft.kinds) for draft in recorder.drafts[:2]] == [
        (2, ["latest", "periodic"]),
        (4, ["latest", "periodic"]),
    ]


def test_full_batch_descent_takes_one_step_an_epoch_on_the_mean_gradient() -> None:
    data = image_data()
    gd: dict[str, Any] = {"type": "gd", "lr": 0.5}

    in_parts = run(a_spec(data, MLP, optimizer=gd, epochs=3, batch_size=10), data)[1]
    in_one = run(a_spec(data, MLP, optimizer=gd, epochs=3, batch_size=1000), data)[1]

    assert [draft.step for draft in in_parts.drafts] == [1, 2, 3]
    ours, whole = load(in_parts.drafts[-1].weights), load(in_one.drafts[-1].weights)
    for name, weights in whole.items():
        torch.testing.assert_close(ours[name], weights)


def test_clipping_bounds_what_a_step_changes() -> None:
    data = image_data()
    sgd: dict[str, Any] = {"type": "sgd", "lr": 1.0, "momentum": 0.0}
    spec = a_spec(data, MLP, optimizer=sgd, gradient_clip=1e-3, max_steps=1)
    before = {name: tensor.clone() for name, tensor in build(spec, data).model.state_dict().items()}

    _, recorder, _ = run(spec, data)

    after = load(recorder.drafts[-1].weights)
    change = math.sqrt(sum(float((after[n] - before[n]).square().sum()) for n in before))
    assert change == pytest.approx(1e-3, rel=1e-2)
    assert recorder.series("gradient_norm")[1] > 1e-3


def test_a_loss_that_is_not_finite_stops_before_the_weights_change() -> None:
    data = image_data()
    sgd: dict[str, Any] = {"type": "sgd", "lr": 1000.0, "weight_decay": 1.0}  # grows 999-fold
    spec = a_spec(data, MLP, optimizer=sgd, epochs=100, checkpoint=a_policy(every_steps=1))
    recorder = MemoryRecorder()
    trainable = build(spec, data)

    with pytest.raises(LossNotFinite) as caught:
        train(trainable, spec, recorder, device=torch.device("cpu"))

    assert caught.value.error.code == "loss_not_finite"
    assert "of 100," in (caught.value.error.hint or "")
    assert caught.value.step == recorder.drafts[-1].step + 1
    kept = load(recorder.drafts[-1].weights)
    for name, tensor in trainable.model.state_dict().items():
        assert torch.equal(tensor, kept[name])


def test_early_stopping_ends_after_so_many_epochs_without_improvement() -> None:
    data = image_data()
    spec = a_spec(
        data,
        MLP,
        optimizer={"type": "sgd", "lr": 1e-30},
        epochs=50,
        early_stopping=EarlyStopping(metric="val_loss", patience=3),
    )

    outcome, recorder, _ = run(spec, data)

    assert outcome == Outcome("finished", "early_stopping")
    assert recorder.drafts[-1].epoch == 4
    again, resumed, _ = run(spec, data, resume=recorder.drafts[-1])
    assert (again, resumed.drafts) == (outcome, [])


def test_max_seconds_ends_as_finished_with_a_validated_checkpoint() -> None:
    data = image_data()
    ticks = iter(range(10**6))
    spec = a_spec(data, MLP, epochs=1000, max_seconds=20.0)

    outcome, recorder, _ = run(spec, data, clock=lambda: float(next(ticks)))

    assert outcome == Outcome("finished", "max_seconds")
    assert "val_loss" in recorder.drafts[-1].metrics
    earlier, short, _ = run(spec, data, spent_seconds=19.5, clock=lambda: 0.0 + next(ticks))
    assert earlier == outcome
    assert short.drafts[-1].step == 1


def test_cancel_stops_before_the_next_batch_and_writes_nothing() -> None:
    data = image_data()
    outcome, recorder, _ = run(a_spec(data, MLP, batch_size=16), data, orders={3: "cancel"})

    assert outcome == Outcome("cancel")
    assert recorder.drafts == []


def test_cancel_does_not_wait_for_the_end_of_a_full_batch() -> None:
    data = image_data()
    gd = {"type": "gd", "lr": 0.1}
    spec = a_spec(data, MLP, optimizer=gd, batch_size=8)

    outcome, recorder, _ = run(spec, data, orders={4: "cancel"})

    assert outcome == Outcome("cancel")
    assert recorder.asked == 4


@pytest.mark.parametrize(("order", "kind"), [("pause", "pause"), ("drain", "latest")])
def test_pause_and_drain_keep_the_state_first(order: Any, kind: str) -> None:
    data = image_data()
    outcome, recorder, _ = run(a_spec(data, MLP, batch_size=16), data, orders={3: order})

    assert outcome.how == order
    assert [(draft.step, draft.kinds) for draft in recorder.drafts] == [(2, [kind])]


def test_progress_tells_the_time_left_at_the_pace_so_far() -> None:
    data = image_data()
    ticks = iter(range(10**6))
    _, recorder, trainable = run(
        a_spec(data, MLP, epochs=5, batch_size=16), data, clock=lambda: float(next(ticks))
    )

    assert len(recorder.reported) >= trainable.steps
    assert all(each.eta_seconds is not None for each in recorder.reported)
    assert recorder.reported[-1].eta_seconds == 0
    assert [each.percent for each in recorder.reported] == sorted(
        each.percent for each in recorder.reported
    )


def test_the_run_names_what_was_chosen() -> None:
    data = image_data()
    _, recorder, trainable = run(a_spec(data, MLP), data)

    assert recorder.runs[0].device == "cpu"
    assert recorder.runs[0].parameters == devices.parameter_count(trainable.model)
    assert recorder.runs[0].threads == torch.get_num_threads()


def test_a_device_that_is_not_there_fails_with_a_hint() -> None:
    absent = next(each for each in ("mps", "cuda") if each not in devices.available_devices())

    with pytest.raises(DeviceNotAvailable) as caught:
        devices.choose_device(absent)  # pyright: ignore[reportArgumentType]

    assert "auto" in (caught.value.error.hint or "")
