"""Texts over HTTP: whole or token by token, with both clients and on the command line."""

import asyncio
import json
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from service.client import AsyncClient, Client, ConflictError, InvalidError
from service.domain.generations import GeneratedToken, Generation
from tests.eventually import eventually
from tests.integration.sockets import HOST

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


@pytest.fixture(scope="module")
def endless(client: Client) -> Iterator[dict[str, Any]]:
    """A request whose text takes seconds, for `writes-long`: the end is never chosen."""
    job = client.create_job(
        {
            "model": "writes-long",
            "dataset": "eating",
            "architecture": "transformer",
            "training": {"max_steps": 2, "device": "cpu"},
        }
    )
    assert client.wait_for_job(job.id).status == "succeeded"
    yield {
        "prompt": "I like eating rice and soup",
        "max_tokens": 4096,
        "temperature": 0,
        "repetition_penalty": 0.001,  # what was said is said again, and the end never was
    }
    client.delete_model("writes-long")


def at_work(client: Client) -> tuple[int, int]:
    """Return how many texts are written, and how many tokens were."""
    facts: Any = client.system()["generation"]
    return facts["texts_at_work"], facts["tokens_written"]


def test_a_prompt_longer_than_the_context_is_cut_on_the_left_and_that_is_told(
    client: Client, endless: dict[str, Any]
) -> None:
    asked = {**endless, "max_tokens": 1}

    long = client.generate("writes-long", {**asked, "prompt": "rice " * 72 + "I like " * 64})
    short = client.generate("writes-long", {**asked, "prompt": "soup " * 99 + "I like " * 64})

    told = "the model sees 128 words at once: the last 128 of"
    assert f"{told} 200 were read" in long.warnings
    assert f"{told} 227 were read" in short.warnings
    assert long.tokens == short.tokens
    assert long.usage.prompt_tokens == 128


@pytest.mark.parametrize("stream", [True, False])
def test_for_who_goes_away_in_the_middle_nothing_is_written_any_more(
    client: Client, endless: dict[str, Any], *, stream: bool
) -> None:
    client.generate("writes-long", {**endless, "max_tokens": 1})  # and so it is loaded
    _, before = at_work(client)
    body = json.dumps({**endless, "stream": stream}).encode()
    with opened(client) as connection:
        head = f"POST /v1/models/writes-long/generate HTTP/1.1\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"{head}Content-Type: application/json\r\n{HOST}\r\n".encode() + body)
        eventually(lambda: at_work(client)[0] == 1 and at_work(client)[1] > before)

    eventually(lambda: at_work(client)[0] == 0)

    _, stopped = at_work(client)
    assert before < stopped < before + 4096
    for _ in range(10):  # on the thread that writes
        assert client.predict("writes-long", ["I like"]).predictions
    assert at_work(client) == (0, stopped)


def test_a_thousand_connections_that_send_nothing_hold_no_text_up(
    client: Client, endless: dict[str, Any], many_files: None
) -> None:
    del many_files
    asked = {**endless, "max_tokens": 300}
    with ExitStack() as silent:
        heard = client.stream_text("writes-long", asked)
        first = next(heard)
        for _ in range(1000):
            silent.enter_context(opened(client))

        assert client.predict("writes-long", ["I like"]).predictions
        written = [first, *heard]

        assert isinstance(written[-1], Generation)
        assert len(written) == 301
        assert client.generate("writes-long", {**asked, "max_tokens": 3}).tokens


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process open as many files as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def opened(client: Client) -> socket.socket:
    """Open a connection that has sent nothing."""
    address = urlsplit(client.url)
    return socket.create_connection((address.hostname, address.port), timeout=30)


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
