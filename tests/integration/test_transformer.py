"""The Transformer over HTTP: lines, running text by characters, and texts with labels."""

from typing import Any

import pytest

from service.client import Client
from service.domain.jobs import Job
from service.domain.predictions import LabelCandidate, TokenCandidate

SMALL: dict[str, Any] = {
    "type": "transformer",
    "layers": 1,
    "heads": 2,
    "width": 16,
    "context": 12,
}
BRIEFLY = {"max_steps": 20, "batch_size": 8, "device": "cpu"}


def finished(client: Client, **request: Any) -> Job:
    body = {"architecture": SMALL, "training": BRIEFLY, **request}
    ended = client.wait_for_job(client.create_job(body).id)
    assert ended.status == "succeeded", ended.error
    return ended


def test_the_next_word_of_lines_is_predicted_from_the_last_words(client: Client) -> None:
    job = finished(client, dataset="eating", training={**BRIEFLY, "max_steps": 60})

    short, long = client.predict(job.id, ["I like", "I like " * 10]).predictions

    assert isinstance(short.candidates[0], TokenCandidate)
    assert short.warnings == []
    assert "the model sees 12 words at once: the last 12 of 20 were read" in long.warnings
    assert job.result is not None
    assert job.result.baseline.name == "unigram"
    loss = job.result.metrics["val_loss"]
    assert loss is not None
    assert loss < job.result.baseline.metrics["val_loss"]


def test_running_text_is_read_by_characters_in_windows_of_a_context(client: Client) -> None:
    job = finished(client, dataset={"name": "eating", "sequences": "stream", "tokenizer": "char"})

    (prediction,) = client.predict(job.id, ["I li"], top_k=1000).predictions

    options = job.spec.dataset.options
    assert (options["sequence_length"], options["windows"]) == (12, "shuffled")
    assert all(
        isinstance(each, TokenCandidate) and len(each.token) == 1 for each in prediction.candidates
    )


@pytest.mark.parametrize("dataset", ["sms-spam", "korean-chat"])
def test_texts_with_labels_are_told_apart(client: Client, dataset: str) -> None:
    job = finished(client, dataset=dataset)

    answer = client.predict(job.id, ["Free entry! Call now 무료", ""])

    assert all(isinstance(each.candidates[0], LabelCandidate) for each in answer.predictions)
    assert job.spec.dataset.options["sequence_length"] == 12
