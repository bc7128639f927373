"""The average of the weights: its recursion, that it validates, and that it disturbs nothing."""

from typing import Any

import pytest
import torch
from safetensors.torch import load
from torch import Tensor

from service.datasets.base import Data
from service.domain.jobs import JobSpec
from service.domain.requests import Ema
from service.training.validation import evaluate
from tests.training.parts import (
    MemoryRecorder,
    a_policy,
    a_spec,
    build,
    image_data,
    run,
    text_data,
)

MLP: dict[str, Any] = {"type": "mlp", "hidden_sizes": [16], "batch_norm": True, "dropout": 0.2}
TIED: dict[str, Any] = {
    "type": "lstm", "embedding_size": 8, "hidden_size": 8, "tied_embeddings": True
}  # fmt: skip
CASES: dict[str, tuple[dict[str, Any], Data]] = {
    "batch norm and dropout": (MLP, image_data()),
    "tied embeddings": (TIED, text_data()),
}


@pytest.fixture(scope="module", params=sorted(CASES))
def averaged(request: pytest.FixtureRequest) -> tuple[JobSpec, Data, MemoryRecorder]:
    """A run that keeps every step."""
    architecture, data = CASES[request.param]
    policy = a_policy(every_steps=1)
    spec = a_spec(data, architecture, max_steps=12, checkpoint=policy, ema=Ema(decay=0.5))
    return spec, data, run(spec, data)[1]


def trained(state: bytes) -> dict[str, Tensor]:
    """Read the weights that were trained out of a state."""
    marked = {name.partition("/"): tensor for name, tensor in load(state).items()}
    return {name: tensor for (kind, _, name), tensor in marked.items() if kind == "trained"}


def test_the_average_follows_the_recursion(
    averaged: tuple[JobSpec, Data, MemoryRecorder],
) -> None:
    spec, data, recorder = averaged
    drafts = {draft.step: draft for draft in recorder.drafts}
    average = {name: each.clone() for name, each in build(spec, data).model.state_dict().items()}

    for step in range(12):
        kept = min(0.5, (1 + step) / (10 + step))
        for name, weights in trained(drafts[step + 1].state).items():
            number = weights.is_floating_point()
            average[name] = kept * average[name] + (1 - kept) * weights if number else weights

    served = load(recorder.drafts[-1].weights)
    assert set(served) == set(average)
    for name, expected in average.items():
        torch.testing.assert_close(served[name], expected)


def test_training_itself_goes_as_without_an_average(
    averaged: tuple[JobSpec, Data, MemoryRecorder],
) -> None:
    spec, data, recorder = averaged
    plain = spec.model_copy(update={"training": spec.training.model_copy(update={"ema": None})})

    alone = load(run(plain, data)[1].drafts[-1].weights)

    beside = trained(recorder.drafts[-1].state)
    assert set(alone) == set(beside)
    assert all(torch.equal(alone[name], weights) for name, weights in beside.items())


def test_what_is_kept_is_what_validated(averaged: tuple[JobSpec, Data, MemoryRecorder]) -> None:
    spec, data, recorder = averaged
    last = recorder.drafts[-1]
    built = build(spec, data)

    def loss(weights: dict[str, Tensor]) -> float:
        built.model.load_state_dict(weights)
        examples, batch_size = built.validation, spec.training.batch_size
        return evaluate(built.model, built.task, examples, batch_size=batch_size, seed=7)[
            "val_loss"
        ]

    assert last.metrics["val_loss"] == loss(load(last.weights))
    assert last.metrics["val_loss"] != loss(trained(last.state))


def test_a_run_without_an_average_keeps_its_weights_once() -> None:
    data = image_data()
    _, recorder, _ = run(a_spec(data, MLP, epochs=1), data)

    assert trained(recorder.drafts[-1].state) == {}
