"""On an accelerator training learns, resumes with the same bits, and is served on a CPU."""

# pyright: reportUnknownMemberType=false
# torch leaves parts of these functions untyped.

from typing import Any

import pytest
import torch
from safetensors.torch import load

from service.datasets.base import Data
from service.domain.jobs import JobSpec
from service.domain.requests import Ema
from service.training import device as devices
from service.training.loop import train
from service.training.start import Saved
from service.training.validation import evaluate
from tests.training.parts import (
    CATALOGUE,
    CPU,
    Kept,
    MemoryRecorder,
    a_policy,
    a_spec,
    build,
    image_data,
    text_data,
)

ACCELERATORS = [kind for kind in devices.available_devices() if kind != "cpu"]
pytestmark = pytest.mark.skipif(not ACCELERATORS, reason="there is no accelerator here")

SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"hidden_sizes": [16], "batch_norm": True, "dropout": 0.2},
    "cnn": {"stem_channels": 8, "blocks": [{"channels": 8}], "residual": True},
    "rnn": {"hidden_size": 16, "layers": 2, "initial_state": "learned"},
    "lstm": {"hidden_size": 16, "embedding_size": 16, "layers": 2, "dropout": 0.2},
    "gru": {"hidden_size": 16, "embedding_size": 16, "tied_embeddings": True},
    "transformer": {"width": 32, "heads": 2, "layers": 2, "context": 16, "dropout": 0.1},
}
OPTIMIZERS = [info.type for info in CATALOGUE.infos("optimizer")]


def case(architecture: str) -> tuple[dict[str, Any], Data]:
    data = image_data() if architecture in {"mlp", "cnn"} else text_data("stream")
    return {"type": architecture, **SMALL[architecture]}, data


def run_there(spec: JobSpec, data: Data, *, resume: Kept | None = None) -> MemoryRecorder:
    recorder = MemoryRecorder()
    train(
        build(spec, data),
        spec,
        recorder,
        device=torch.device(ACCELERATORS[0]),
        resume=None if resume is None else Saved("ckpt_1", resume.weights, resume.state),
    )
    return recorder


def spec_of(architecture: str, **options: Any) -> tuple[JobSpec, Data]:
    config, data = case(architecture)
    options = {"epochs": 3, "checkpoint": a_policy(every_steps=2), **options}
    return a_spec(data, config, device=ACCELERATORS[0], **options), data


def same_bits_when_resumed(spec: JobSpec, data: Data) -> bool:
    whole = run_there(spec, data)
    middle = whole.drafts[len(whole.drafts) // 2]
    rest = run_there(spec, data, resume=middle)
    ends = [(each.weights, each.state) for each in (whole.drafts[-1], rest.drafts[-1])]
    return ends[0] == ends[1] and middle.step < whole.drafts[-1].step


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("architecture", SMALL)
def test_a_resume_has_the_same_bits(architecture: str, precision: str) -> None:
    assert same_bits_when_resumed(*spec_of(architecture, precision=precision))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_goes_on_with_its_state(optimizer: str) -> None:
    spec, data = spec_of("mlp", optimizer={"type": optimizer}, ema=Ema(decay=0.5))

    assert same_bits_when_resumed(spec, data)


@pytest.mark.parametrize("architecture", SMALL)
def test_what_was_trained_there_is_worth_the_same_on_a_cpu(architecture: str) -> None:
    spec, data = spec_of(architecture)
    recorder = run_there(spec, data)
    trainable = build(spec, data)
    trainable.model.load_state_dict(load(recorder.drafts[-1].weights))

    metrics = evaluate(trainable.model, trainable.task, trainable.validation, batch_size=32, seed=7)

    last = recorder.series("val_loss")
    assert metrics["val_loss"] == pytest.approx(last[max(last)], rel=1e-3)
    assert recorder.runs[0].device.startswith(ACCELERATORS[0])
    assert next(trainable.model.parameters()).device == CPU


@pytest.mark.parametrize("architecture", SMALL)
def test_it_learns_there_as_on_a_cpu(architecture: str) -> None:
    spec, data = spec_of(architecture)
    there = run_there(spec, data).series("train_loss")
    recorder = MemoryRecorder()
    train(build(spec, data), spec, recorder, device=CPU)
    here = recorder.series("train_loss")

    first = min(here)
    assert there.keys() == here.keys()
    assert there[first] == pytest.approx(here[first], rel=0.05)


def test_auto_precision_is_one_of_the_two() -> None:
    spec, data = spec_of("cnn", precision="auto")

    assert run_there(spec, data).runs[0].precision in {"float32", "bfloat16"}
