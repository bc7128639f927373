"""The doctor at work: ill jobs get what they have and nothing else, and looking changes nothing."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from torch import nn

from service.datasets.base import Data, ImageData
from service.domain.findings import FINDING_CODES, Found
from service.domain.jobs import JobSpec
from service.domain.merging import merge_patch
from service.domain.requests import EarlyStopping, Ema
from service.training.diagnosis import Doctor
from service.training.failures import LossNotFinite
from service.training.loop import train
from tests.training.parts import CPU, MemoryRecorder, a_spec, build, image_data, text_data

pytestmark = pytest.mark.usefixtures("one_thread")

IMAGES = image_data(384)
TEXT = text_data()


def mlp(*sizes: int, **options: Any) -> dict[str, Any]:
    return {"type": "mlp", "hidden_sizes": sizes or (16,), **options}


def sgd(lr: float) -> dict[str, Any]:
    return {"type": "sgd", "lr": lr, "momentum": 0.0}


def relabelled(labels: Any) -> ImageData:
    return replace(IMAGES, labels=np.asarray(labels))


def by_chance() -> ImageData:
    """Labels that pixels do not tell: all there is to learn is learned by heart."""
    return relabelled(np.random.default_rng(1).permutation(IMAGES.labels))


def rarely_d() -> ImageData:
    """Of what looks like a c, two of five are called d, and nothing tells which."""
    labels = IMAGES.labels // 2 * 2
    of_c = np.flatnonzero(labels == 2)
    labels[of_c[np.random.default_rng(0).random(len(of_c)) < 0.4]] = 3
    return relabelled(labels)


def pushed(bias: float) -> Callable[[nn.Module], None]:
    """Push the biases of all hidden layers so far that no input brings them back."""

    def push(model: nn.Module) -> None:
        hidden = [each for each in model.modules() if isinstance(each, nn.Linear)][:-1]
        biases = [layer.bias for layer in hidden]
        biases += [each for name, each in model.named_parameters() if name.endswith("b_x")]
        for each in biases:
            nn.init.constant_(each, bias)

    return push


def never_positive(model: nn.Module) -> None:
    """Have nothing come into the perceptron of a Transformer."""
    nn.init.zeros_(dict(model.named_parameters())["trunk.layers.0.mlp.into.weight"])


class Case(NamedTuple):
    spec: JobSpec
    data: Data
    change: Callable[[nn.Module], Any] = nn.Module.train


def images(architecture: dict[str, Any], data: Data = IMAGES, **options: Any) -> tuple[Any, Data]:
    chosen: dict[str, Any] = {"batch_size": 16, "epochs": 2, **options}
    return a_spec(data, architecture, **chosen), data


RNN: dict[str, Any] = {"type": "rnn", "hidden_size": 16}
ILL: dict[str, tuple[Case, list[str]]] = {
    "diverging": (
        Case(a_spec(TEXT, RNN, optimizer=sgd(20.0)), TEXT),
        ["lr_too_large"],
    ),
    "crawling": (
        Case(*images(mlp(), epochs=6, optimizer=sgd(1e-5))),
        ["lr_too_small"],
    ),
    "standing still": (
        Case(*images(mlp(), epochs=6, optimizer={"type": "adamw", "lr": 1e-9})),
        ["lr_too_small"],
    ),
    "zeros that stay alike": (
        Case(*images(mlp(activation="tanh", initialization="zeros"), epochs=6)),
        ["stuck_at_baseline"],
    ),
    "dead": (Case(*images(mlp(16, 8)), pushed(-30.0)), ["dead_relus", "dead_relus"]),
    "dead, squared": (
        Case(
            a_spec(TEXT, {"type": "transformer", "layers": 1, "heads": 2, "width": 16}),
            TEXT,
            never_positive,
        ),
        ["dead_relus"],
    ),
    "saturated tanh": (Case(*images(mlp(activation="tanh")), pushed(30.0)), ["saturated"]),
    "saturated sigmoid": (Case(*images(mlp(activation="sigmoid")), pushed(-30.0)), ["saturated"]),
    "saturated in time": (Case(a_spec(TEXT, RNN), TEXT, pushed(30.0)), ["saturated"]),
    "exploding": (
        Case(*images(mlp(*[16] * 50, batch_norm=True), optimizer=sgd(0.001))),
        ["exploding_gradients"],
    ),
    "vanishing": (
        Case(*images(mlp(*[16] * 8, activation="sigmoid"))),
        ["vanishing_gradients"],
    ),
    "overfitted": (
        Case(*images(mlp(64), by_chance(), epochs=12, optimizer={"type": "adamw", "lr": 0.01})),
        ["overfitting"],
    ),
    "one class short": (
        Case(*images(mlp(), rarely_d(), epochs=6, optimizer=sgd(0.1))),
        ["class_never_predicted"],
    ),
    "too short": (Case(*images(mlp(), epochs=5, optimizer=sgd(0.01))), ["still_improving"]),
}
HEALTHY: dict[str, Case] = {
    "mlp": Case(*images(mlp(16, 8), epochs=8)),
    "mlp of tanh": Case(*images(mlp(activation="tanh"), epochs=8)),
    "mlp, averaged": Case(*images(mlp(), epochs=8, ema=Ema(decay=0.9))),
    "mlp, smoothed": Case(*images(mlp(), epochs=8, label_smoothing=0.2)),
    "mlp, annealed": Case(*images(mlp(), epochs=8, schedule={"type": "one_cycle"})),
    "mlp, all data at once": Case(
        *images(mlp(), epochs=200, batch_size=128, optimizer={"type": "gd", "lr": 0.5}),
    ),
    "mlp, stopped early": Case(
        *images(mlp(), epochs=40, early_stopping=EarlyStopping(patience=2), optimizer=sgd(0.2))
    ),
    "cnn": Case(
        *images({"type": "cnn", "stem_channels": 8, "blocks": [{"channels": 8}]}, epochs=4),
    ),
    "rnn": Case(a_spec(TEXT, RNN, optimizer=sgd(0.5), epochs=6), TEXT),
    "lstm": Case(
        a_spec(TEXT, {**RNN, "type": "lstm"}, optimizer={"type": "adam", "lr": 0.02}, epochs=6),
        TEXT,
    ),
    "transformer": Case(
        a_spec(
            TEXT,
            {"type": "transformer", "layers": 2, "heads": 2, "width": 16},
            optimizer={"type": "muon"},
            schedule={"type": "linear"},
            epochs=6,
        ),
        TEXT,
    ),
}


def examined(case: Case) -> MemoryRecorder:
    recorder, trainable = MemoryRecorder(), build(case.spec, case.data)
    case.change(trainable.model)
    train(trainable, case.spec, recorder, device=CPU)
    return recorder


@pytest.mark.parametrize("name", ILL)
def test_an_ill_job_gets_what_it_has_and_nothing_else(name: str) -> None:
    case, codes = ILL[name]
    assert [finding["code"] for finding in examined(case).findings()] == codes


def test_every_illness_is_in_the_jobs() -> None:
    assert {code for _, codes in ILL.values() for code in codes} == set(FINDING_CODES)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_job_gets_nothing(name: str) -> None:
    assert examined(HEALTHY[name]).findings() == []


@pytest.mark.parametrize("name", ["crawling", "dead", "overfitted", "one class short"])
def test_the_patch_of_a_finding_makes_another_job(name: str) -> None:
    case, _ = ILL[name]
    for finding in examined(case).findings():
        patch = finding["patch"]
        assert isinstance(patch, dict)
        assert merge_patch(as_json(case.spec), patch) != as_json(case.spec)


def as_json(spec: JobSpec) -> Any:
    written = spec.model_dump(mode="json")
    return {**written, "dataset": written["dataset"]["options"]}


def test_what_was_said_is_not_said_again() -> None:
    case, _ = ILL["crawling"]
    recorder, trainable = MemoryRecorder(), build(case.spec, case.data)
    said = [Found("lr_too_small", None)]

    train(trainable, case.spec, recorder, device=CPU, found=said)

    assert recorder.findings() == []


def test_a_finding_is_told_just_before_the_end_of_its_epoch() -> None:
    case, _ = ILL["diverging"]
    told = [happened for happened, _ in examined(case).events if happened != "progress"]
    assert told == ["started", "finding", "epoch", "epoch"]


def test_a_loss_that_is_not_finite_names_its_cause_with_the_failure() -> None:
    growing = {**sgd(1000.0), "weight_decay": 1.0}  # 999-fold, with each step
    spec = a_spec(IMAGES, mlp(), optimizer=growing, batch_size=16)
    recorder = MemoryRecorder()

    with pytest.raises(LossNotFinite) as caught:
        train(build(spec, IMAGES), spec, recorder, device=CPU)

    [finding] = caught.value.findings
    assert recorder.findings() == []  # it is kept together with the failure
    assert finding.code == "lr_too_large"
    assert "try a learning rate of 100" in finding.message
    assert finding.patch is None  # there is no checkpoint to fork


class Blind(Doctor):
    """Looks at nothing."""

    def watching(self, *_: Any, **__: Any) -> Any:
        return nullcontext()

    def examine(self, state: Any, metrics: Any, **_: Any) -> Any:
        state.chart.note_epoch(metrics["val_loss"])
        return []


@pytest.mark.parametrize("name", HEALTHY)
def test_looking_changes_no_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = HEALTHY[name]
    short = {"epochs": min(case.spec.training.epochs or 1, 2)}
    training = case.spec.training.model_copy(update=short)
    case = case._replace(spec=case.spec.model_copy(update={"training": training}))

    looked_at = examined(case)
    monkeypatch.setattr("service.training.loop.Doctor", Blind)
    left_alone = examined(case)

    assert looked_at.drafts == left_alone.drafts
    assert looked_at.exact_points() == left_alone.exact_points()
