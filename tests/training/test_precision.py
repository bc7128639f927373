"""Products in bfloat16: near, kept in float32, judged in float32; and the trial leaves no trace."""

# pyright: reportUnknownMemberType=false, reportPrivateUsage=false
# torch leaves parts of these functions untyped.

from typing import Any

import pytest
import torch
from safetensors.torch import load

from service.datasets.base import Data
from service.domain.environments import BFLOAT16
from service.domain.jobs import JobSpec
from service.domain.queue import why_nobody_takes
from service.domain.requests import Computed, Precision
from service.training import precision as module
from service.training.precision import choose_precision, mixed
from service.training.start import NotExact
from service.training.state import read_header
from service.training.validation import evaluate
from tests.training.parts import CPU, a_spec, build, image_data, run, text_data

CNN: dict[str, Any] = {
    "type": "cnn", "stem_channels": 4, "blocks": [{"channels": 4}], "batch_norm": True
}  # fmt: skip
TEXTS: list[dict[str, Any]] = [
    {"type": "rnn", "hidden_size": 8},
    {"type": "lstm", "hidden_size": 8, "embedding_size": 8, "layers": 2},
    {"type": "gru", "hidden_size": 8, "embedding_size": 8},
    {"type": "transformer", "width": 16, "heads": 2, "layers": 2, "context": 16},
]
IMAGES: list[dict[str, Any]] = [{"type": "mlp", "hidden_sizes": [8], "batch_norm": True}, CNN]
CASES: list[tuple[dict[str, Any], Data]] = [
    *((each, text_data("stream")) for each in TEXTS),
    *((each, image_data()) for each in IMAGES),
]


def name(case: tuple[dict[str, Any], Data]) -> str:
    return str(case[0]["type"])


def spec_of(case: tuple[dict[str, Any], Data], precision: Precision, **training: Any) -> JobSpec:
    architecture, data = case
    options: dict[str, Any] = {"max_steps": 4, **training}
    return a_spec(data, architecture, precision=precision, **options)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_in_bfloat16_a_model_learns_nearly_the_same_and_is_kept_in_float32(
    case: tuple[dict[str, Any], Data],
) -> None:
    exact = run(spec_of(case, "float32"), case[1])[1]
    low = run(spec_of(case, "bfloat16"), case[1])[1]

    weights, others = load(low.drafts[-1].weights), load(exact.drafts[-1].weights)
    assert {each.dtype for each in weights.values()} <= {torch.float32, torch.int64}
    assert any(not torch.equal(each, others[name]) for name, each in weights.items())
    loss, expected = low.series("val_loss"), exact.series("val_loss")
    assert loss[4] == pytest.approx(expected[4], rel=0.03)
    assert low.runs[0].precision == "bfloat16"
    assert read_header(low.drafts[-1].state)["environment"]["precision"] == "bfloat16"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_validation_judges_the_model_as_it_is_served(case: tuple[dict[str, Any], Data]) -> None:
    spec = spec_of(case, "bfloat16")
    recorder = run(spec, case[1])[1]
    trainable = build(spec, case[1])
    trainable.model.load_state_dict(load(recorder.drafts[-1].weights))

    metrics = evaluate(trainable.model, trainable.task, trainable.validation, batch_size=32, seed=7)

    assert metrics["val_loss"] == pytest.approx(recorder.series("val_loss")[4], rel=1e-5)


@pytest.mark.parametrize("faster", ["float32", "bfloat16"])
def test_auto_trains_with_the_bits_of_what_the_trial_chose(
    faster: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[-1]
    real = module._seconds

    def seconds(train: Any, how: Computed, device: torch.device) -> float:
        real(train, how, device)
        return 0.5 if how == faster else 1.0

    monkeypatch.setattr(module, "_seconds", seconds)

    auto = run(spec_of(case, "auto"), case[1])[1]
    chosen = run(spec_of(case, faster), case[1])[1]

    assert auto.runs[0].precision == faster
    assert auto.drafts[-1].weights == chosen.drafts[-1].weights
    assert auto.drafts[-1].state == chosen.drafts[-1].state


def test_auto_tries_nothing_with_a_small_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_seconds", None)
    spec, data = spec_of(CASES[0], "auto"), CASES[0][1]

    assert choose_precision(build(spec, data), spec, CPU, before=None) == "float32"


@pytest.mark.parametrize(("of_float32", "chosen"), [(0.95, "float32"), (0.85, "bfloat16")])
def test_bfloat16_must_be_worth_what_it_costs_in_accuracy(
    of_float32: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seconds(*trained: object) -> float:
        return of_float32 if "bfloat16" in trained else 1.0

    monkeypatch.setattr(module, "_seconds", seconds)
    spec, data = spec_of(CASES[-1], "auto"), CASES[-1][1]

    assert choose_precision(build(spec, data), spec, CPU, before=None) == chosen


@pytest.mark.parametrize("before", ["float32", "bfloat16"])
def test_auto_goes_on_as_an_earlier_attempt_began(before: str) -> None:
    spec, data = spec_of(CASES[-1], "auto"), CASES[-1][1]

    assert choose_precision(build(spec, data), spec, CPU, before={"precision": before}) == before
    assert run(spec, data, earlier={"precision": before})[1].runs[0].precision == before


def test_a_checkpoint_says_in_which_precision_auto_goes_on() -> None:
    case = CASES[-1]
    first = run(spec_of(case, "bfloat16", max_steps=None, epochs=2), case[1])[1]
    recorder = run(
        spec_of(case, "auto", max_steps=None, epochs=2), case[1], resume=first.drafts[0]
    )[1]

    assert recorder.drafts[-1].weights == first.drafts[-1].weights


def test_another_precision_is_not_exact() -> None:
    case = CASES[-1]
    draft = run(spec_of(case, "float32", max_steps=None, epochs=1), case[1])[1].drafts[0]
    spec = spec_of(case, "bfloat16", max_steps=None, epochs=2, exact="required")

    with pytest.raises(NotExact, match="precision was float32 and is bfloat16"):
        run(spec, case[1], resume=draft)


def test_a_job_in_bfloat16_waits_for_a_worker_that_has_it() -> None:
    needs = frozenset(spec_of(CASES[-1], "bfloat16").components())

    assert BFLOAT16 in needs
    assert BFLOAT16 not in spec_of(CASES[-1], "auto").components()
    assert why_nobody_takes(needs, [needs]) is None
    assert why_nobody_takes(needs, [needs - {BFLOAT16}]) == "waits for a worker with bfloat16"


def test_attention_in_bfloat16_is_computed_in_float32_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    functional: Any = torch.nn.functional
    attend = functional.scaled_dot_product_attention
    seen: set[torch.dtype] = set()

    def watched(*tensors: torch.Tensor, **options: Any) -> torch.Tensor:
        found = attend(*tensors, **options)
        seen.update(each.dtype for each in (*tensors, found))
        return found

    monkeypatch.setattr(functional, "scaled_dot_product_attention", watched)
    case = CASES[3]
    trainable = build(spec_of(case, "bfloat16"), case[1])
    batch = trainable.train.batch(epoch=0, position=0, batch_size=4, seed=0)

    with mixed(CPU, "bfloat16"):
        trainable.task.loss(trainable.model, batch, None)

    assert seen == {torch.float32}
