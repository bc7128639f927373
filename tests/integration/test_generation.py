"""Texts over HTTP: whole or token by token, with both clients and on the command line."""

import asyncio
from collections.abc import Generator, Iterator
from typing import Any, cast

import pytest

from service.client import AsyncClient, Client, ConflictError, InvalidError
from service.domain.generations import GeneratedToken, Generation

MODEL = "writes"


@pytest.fixture(scope="module", autouse=True)
def model(client: Client) -> Iterator[None]:
    """A model that has learned something."""
    job = client.create_job(
        {
            "model": MODEL,
            "dataset": "eating",
            "architecture": {"type": "rnn", "hidden_size": 32},
            "training": {"epochs": 1, "device": "cpu"},
        }
    )
    assert client.wait_for_job(job.id).status == "succeeded"
    yield
    client.delete_model(MODEL)


def asked(**more: Any) -> dict[str, Any]:
    return {"prompt": "I like eating", "max_tokens": 12, "seed": 5, **more}


def test_a_text_is_written_on_and_told_token_by_token(client: Client) -> None:
    whole = client.generate(MODEL, asked())
    heard = list(client.stream_text(MODEL, asked()))

    last = heard.pop()
    assert isinstance(last, Generation)
    assert last == whole
    assert [each for each in heard if isinstance(each, GeneratedToken)] == whole.tokens
    assert whole.text == "".join(token.text for token in whole.tokens)
    assert (whole.model, whole.version, whole.seed) == (MODEL, 1, 5)
    assert whole.usage.prompt_tokens == 3
    assert whole.usage.generated_tokens == len(whole.tokens) > 0


def test_the_asynchronous_client_hears_the_same(client: Client) -> None:
    async def heard() -> list[GeneratedToken | Generation]:
        async with AsyncClient(client.url) as one:
            return [each async for each in one.stream_text(MODEL, asked())]

    assert asyncio.run(heard()) == list(client.stream_text(MODEL, asked()))


def test_without_a_seed_one_is_drawn_and_told(client: Client) -> None:
    first = client.generate(MODEL, asked(seed=None, max_tokens=40))

    again = client.generate(MODEL, asked(seed=first.seed, max_tokens=40))

    assert again == first


def test_a_korean_text_ends_before_a_stop_text(client: Client) -> None:
    free = client.generate(MODEL, {"prompt": "내가 즐겨 먹는 것은", "temperature": 0})
    assert free.tokens
    stop = free.tokens[-1].token

    stopped = client.generate(
        MODEL, {"prompt": "내가 즐겨 먹는 것은", "temperature": 0, "stop": [stop]}
    )

    assert stopped.finish_reason == "stop"
    assert stop not in stopped.text
    assert free.text.startswith(stopped.text)


def test_a_sentence_is_more_probable_than_its_words_in_disorder(client: Client) -> None:
    right, wrong = client.score(MODEL, ["I like eating rice", "rice eating like I"]).scores

    assert right.logprob > wrong.logprob
    assert right.perplexity is not None
    assert len(right.tokens) == 4


def test_the_same_question_is_answered_by_every_kept_checkpoint(client: Client) -> None:
    job = client.create_job(
        {
            "dataset": "eating",
            "architecture": {"type": "rnn", "hidden_size": 16},
            "training": {"max_steps": 30, "device": "cpu", "checkpoint": {"every_steps": 10}},
        }
    )
    assert client.wait_for_job(job.id).status == "succeeded"

    over_time = client.predictions_over_time(job.id, "I like eating", top_k=2)

    assert [each.step for each in over_time.data] == [10, 20, 30]
    assert len({each.checkpoint for each in over_time.data}) == 3
    first, *_, last = (each.prediction.candidates for each in over_time.data)
    assert first != last
    asked = client.predict(over_time.data[0].checkpoint, ["I like eating"], top_k=2)
    assert asked.predictions[0].candidates == first


def test_who_goes_away_in_the_middle_leaves_the_model_free(client: Client) -> None:
    listening = client.stream_text(MODEL, asked(max_tokens=4096, stop=["nothing of this"]))
    next(listening)
    cast("Generator[object]", listening).close()

    assert client.predict(MODEL, ["I like"]).predictions


def test_what_cannot_be_written_is_refused_before_a_stream_begins(client: Client) -> None:
    with pytest.raises(InvalidError):
        next(client.stream_text(MODEL, asked(temperature=-1)))
    job = client.create_job(
        {
            "model": "writes-not",
            "dataset": "digits",
            "architecture": "mlp",
            "training": {"max_steps": 2},
        }
    )
    assert client.wait_for_job(job.id).status == "succeeded"
    with pytest.raises(ConflictError, match="only models of next_word write"):
        next(client.stream_text("writes-not", asked()))
