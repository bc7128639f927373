"""Texts with labels over HTTP: uploaded, learned from, asked; and next words by pieces."""

from typing import Any

import httpx
import pytest

from service.client import Client
from service.domain.jobs import Job
from service.domain.predictions import LabelCandidate, TokenCandidate

ROWS = [
    {"text": f"{mood} {number}!", "label": label}
    for number in range(40)
    for mood, label in (("정말 좋은 날이에요", "good"), ("너무 나쁜 밤이에요", "bad"))
]

SMALLER: dict[str, dict[str, Any]] = {"transformer": {"layers": 1, "heads": 2, "width": 32}}


@pytest.fixture(scope="module")
def opinions(http: httpx.Client) -> str:
    """The name of an uploaded dataset."""
    body = {"name": "told-apart", "type": "labelled_text", "rows": ROWS}
    answer = http.post("/v1/datasets", json=body)
    assert answer.status_code in {200, 201}, answer.text
    return "told-apart"


def finished(client: Client, **request: Any) -> Job:
    ended = client.wait_for_job(client.create_job(request).id)
    assert ended.status == "succeeded", ended.error
    return ended


@pytest.mark.parametrize(
    ("architecture", "tokenizer"), [("mlp", "bpe"), ("rnn", "word"), ("transformer", "char")]
)
def test_uploaded_texts_are_learned_from_and_told_apart(
    client: Client, opinions: str, architecture: str, tokenizer: str
) -> None:
    job = finished(
        client,
        model=f"opinions-{architecture}",
        dataset={"name": opinions, "tokenizer": tokenizer, "class_weights": "balanced"},
        architecture={"type": architecture, **SMALLER.get(architecture, {})},
        training={"epochs": 12, "batch_size": 16},
    )

    answer = client.predict(job.id, ["정말 좋은 날이에요", "너무 나쁜 밤이에요 뷁"])

    best = [each.candidates[0] for each in answer.predictions]
    assert [each.label for each in best if isinstance(each, LabelCandidate)] == ["good", "bad"]
    assert answer.predictions[1].unknown == ["뷁"]
    assert job.result is not None
    assert job.result.baseline.name == "majority_class"
    assert set(job.result.metrics) >= {"val_loss", "val_accuracy", "val_f1"}


def test_a_next_piece_begins_with_the_space_before_its_word(client: Client) -> None:
    job = finished(
        client,
        dataset={"name": "eating", "tokenizer": "bpe", "max_vocabulary": 300},
        architecture={"type": "rnn", "hidden_size": 16},
        training={"max_steps": 30},
    )

    (prediction,) = client.predict(job.id, ["I like eating"], top_k=300).predictions

    tokens = [each.token for each in prediction.candidates if isinstance(each, TokenCandidate)]
    assert " I" in tokens or " i" in tokens
    assert job.spec.dataset.options["tokenizer"] == "bpe"


def test_a_job_that_does_not_name_a_tokenizer_is_resolved_as_ever(client: Client) -> None:
    request = {"dataset": "eating", "architecture": {"type": "rnn"}}

    plan = client.plan_job(request)

    assert "tokenizer" not in plan.spec.dataset.options
