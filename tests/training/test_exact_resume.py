"""Told to stop anywhere, go on from the checkpoint's bytes: the same weights and points.

What dies without being told is in `test_killed_anywhere.py`.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.datasets.base import Data
from service.domain.jobs import JobSpec
from service.domain.requests import Ema
from service.training.state import read_header
from tests.training.parts import MemoryRecorder, a_policy, a_spec, image_data, run, text_data

RNN: dict[str, Any] = {"type": "rnn", "hidden_size": 16}
LSTM: dict[str, Any] = {"type": "lstm", "embedding_size": 16, "hidden_size": 16, "layers": 2}
TRANSFORMER: dict[str, Any] = {
    "type": "transformer",
    "layers": 2,
    "heads": 2,
    "width": 8,
    "context": 12,
}
CNN: dict[str, Any] = {
    "type": "cnn",
    "stem_channels": 4,
    "blocks": [{"channels": 8, "convolutions": 1}],
    "dropout": 0.2,
}
MLP: dict[str, Any] = {"type": "mlp", "hidden_sizes": [16], "dropout": 0.5, "batch_norm": True}
ADAMW: dict[str, Any] = {"type": "adamw", "lr": 0.01}
COSINE: dict[str, Any] = {"type": "cosine", "warmup_steps": 3}
ONE_CYCLE: dict[str, Any] = {"type": "one_cycle"}


def _case(data: Data, architecture: dict[str, Any], **options: Any) -> tuple[JobSpec, Data]:
    return a_spec(data, architecture, checkpoint=a_policy(every_steps=3), **options), data


CASES: dict[str, tuple[JobSpec, Data]] = {
    "rnn on lines": _case(text_data(), RNN, gradient_clip=0.5),
    "rnn on lines with dropout": _case(
        text_data(), {**RNN, "layers": 2, "dropout": 0.3}, optimizer=ADAMW, schedule=COSINE
    ),
    "rnn with random initial states": _case(text_data(), {**RNN, "initial_state": "normal"}),
    "rnn on a stream, carrying": _case(text_data("stream"), RNN, schedule=COSINE, batch_size=4),
    "lstm on a stream, carrying both states": _case(
        text_data("stream"), {**LSTM, "dropout": 0.3, "tied_embeddings": True}, batch_size=4
    ),
    "gru on lines": _case(text_data(), {**LSTM, "type": "gru"}, optimizer=ADAMW),
    "transformer on lines": _case(text_data(), {**TRANSFORMER, "positions": "learned"}),
    "transformer on a stream, carrying what it sees": _case(
        text_data("stream"),
        {**TRANSFORMER, "dropout": 0.2},
        optimizer={"type": "muon"},
        schedule={"type": "linear"},
        batch_size=4,
    ),
    "cnn": _case(image_data(), CNN, optimizer=ADAMW, schedule=ONE_CYCLE, batch_size=16),
    "mlp with dropout": _case(image_data(), MLP, batch_size=16, epochs=3),
    "mlp, averaged": _case(image_data(), MLP, batch_size=16, ema=Ema(decay=0.8)),
    "mlp, full batch": _case(
        image_data(), MLP, optimizer={"type": "gd", "lr": 0.3}, batch_size=16, epochs=8
    ),
    "mlp that crawls": _case(
        image_data(),
        {"type": "mlp", "hidden_sizes": [16]},
        optimizer={"type": "sgd", "lr": 1e-6},
        batch_size=16,
        epochs=4,
    ),
    "mlp, stopped within an epoch": _case(
        image_data(), MLP, optimizer={"type": "adam", "lr": 0.01}, batch_size=16, max_steps=13
    ),
}


@pytest.fixture(autouse=True, scope="module")
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=sorted(CASES))
def uninterrupted(request: pytest.FixtureRequest) -> tuple[JobSpec, Data, MemoryRecorder]:
    spec, data = CASES[request.param]
    _, recorder, _ = run(spec, data)
    return spec, data, recorder


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=st.floats(0, 1), order=st.sampled_from(["pause", "drain"]))
def test_a_run_stopped_at_any_step_ends_with_the_same_bits(
    uninterrupted: tuple[JobSpec, Data, MemoryRecorder], where: float, order: Any
) -> None:
    spec, data, whole = uninterrupted
    stop = 1 + int(where * (whole.asked - 1))

    outcome, first, _ = run(spec, data, orders={stop: order})
    draft = first.drafts[-1]
    # A full batch is no place to stop: an order during the last one comes too late.
    assert outcome.how == order or spec.optimizer.type == "gd"
    assert draft.step < stop
    _, second, _ = run(spec, data, resume=draft, found=first.found())

    assert first.exact_points() + second.exact_points() == whole.exact_points()
    assert first.findings() + second.findings() == whole.findings()
    last, expected = [*first.drafts, *second.drafts][-1], whole.drafts[-1]
    assert (last.step, last.kinds) == (expected.step, expected.kinds)
    assert last.weights == expected.weights
    assert last.state == expected.state


def test_the_same_run_writes_the_same_bytes(
    uninterrupted: tuple[JobSpec, Data, MemoryRecorder],
) -> None:
    spec, data, whole = uninterrupted
    ticks = iter(range(10**6))

    _, again, _ = run(spec, data, clock=lambda: float(next(ticks)))

    assert again.drafts == whole.drafts


def test_a_resume_was_compared_that_finds_something() -> None:
    spec, data = CASES["mlp that crawls"]
    assert [found.code for found in run(spec, data)[1].found()] == ["lr_too_small"]


def test_another_seed_gives_other_weights() -> None:
    spec, data = CASES["mlp with dropout"]
    other = spec.model_copy(update={"training": spec.training.model_copy(update={"seed": 8})})

    assert run(spec, data)[1].drafts[-1].weights != run(other, data)[1].drafts[-1].weights


def test_a_checkpoint_names_what_else_changes_bits() -> None:
    spec, data = CASES["cnn"]
    _, recorder, _ = run(spec, data)

    environment = read_header(recorder.drafts[-1].state)["environment"]

    assert environment["threads"] == 2
    assert environment["torch"] == torch.__version__
    assert environment["memory_format"] in ("channels_last", "contiguous_format")
    assert set(environment) == {
        "device", "threads", "precision", "memory_format", "torch", "cpu_capability"
    }  # fmt: skip


def test_a_carried_state_is_in_the_checkpoint_of_a_stream_only() -> None:
    def tensors(name: str) -> bool:
        spec, data = CASES[name]
        _, recorder, _ = run(spec, data, orders={3: "pause"})
        return b'"carry"' in recorder.drafts[-1].state

    assert tensors("rnn on a stream, carrying")
    assert not tensors("cnn")
