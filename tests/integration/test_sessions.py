"""Sessions over HTTP: with both clients and on the command line, and one caller at a time."""

import asyncio
from collections.abc import Generator, Iterator
from typing import Any, cast

import httpx
import pytest

from service.client import AsyncClient, Client, ConflictError, NotFoundError
from service.domain.generations import Generation
from service.domain.predictions import PredictResponse, TokenCandidate

MODEL = "remembers"
ENDLESS = {
    "prompt": "I like eating rice and soup",
    "max_tokens": 4096,
    "temperature": 0,
    "repetition_penalty": 0.001,  # what was said is said again, and the end never was
}


@pytest.fixture(scope="module", autouse=True)
def model(client: Client) -> Iterator[None]:
    """Two versions of a model: the second has other weights."""
    for seed in (0, 1):
        job = client.create_job(
            {
                "model": MODEL,
                "dataset": "eating",
                "architecture": "transformer",
                "training": {"max_steps": 5, "seed": seed, "device": "cpu"},
            }
        )
        assert client.wait_for_job(job.id).status == "succeeded"
    client.set_alias(MODEL, "first", 1)
    yield
    client.delete_alias(MODEL, "first")
    client.delete_model(MODEL)


def logprobs(answer: PredictResponse) -> dict[str, float]:
    candidates = answer.predictions[0].candidates
    return {each.token: each.logprob for each in candidates if isinstance(each, TokenCandidate)}


def test_what_comes_later_goes_behind_what_came_before(client: Client) -> None:
    whole = client.predict(MODEL, ["I like eating"])

    first = client.predict(MODEL, ["I like"], session="parts")
    second = client.predict(MODEL, ["eating"], session="parts", session_must_exist=True)

    assert first.session is not None
    assert second.session is not None
    assert (first.session.started, first.session.tokens) == (True, 2)
    assert (second.session.started, second.session.tokens) == (False, 3)
    assert logprobs(second) == pytest.approx(logprobs(whole), abs=1e-4)
    assert whole.session is None


def test_a_text_is_written_on_from_call_to_call(client: Client) -> None:
    alone = client.generate(MODEL, {"prompt": "I like", "max_tokens": 3, "temperature": 0})
    asked: dict[str, Any] = {"session": "story", "temperature": 0}

    async def written() -> list[Generation]:
        async with AsyncClient(client.url) as one:
            await one.predict(MODEL, ["I like"], session="story")
            return [
                await one.generate(MODEL, {**asked, "max_tokens": 1}),
                *[
                    each
                    async for each in one.stream_text(MODEL, {**asked, "max_tokens": 2})
                    if isinstance(each, Generation)
                ],
            ]

    first, last = asyncio.run(written())

    assert first.text + last.text == alone.text
    assert last.session is not None
    assert last.session.tokens == 2 + len(first.tokens) + len(last.tokens)


def test_an_alias_that_has_moved_does_not_go_on_with_other_weights(client: Client) -> None:
    names = [f"{MODEL}@first", f"{MODEL}@1", f"{MODEL}@2", MODEL]

    answers = [client.predict(name, ["I like"], session="moved").session for name in names]

    begun = [(each.started, each.tokens) for each in answers if each is not None]
    assert begun == [(True, 2), (False, 4), (True, 2), (False, 4)]


def test_a_forgotten_session_begins_anew(client: Client) -> None:
    client.predict(MODEL, ["I like"], session="gone")
    client.delete_session(MODEL, "gone")

    with pytest.raises(NotFoundError):
        client.delete_session(MODEL, "gone")
    with pytest.raises(NotFoundError):
        client.predict(MODEL, ["rice"], session="gone", session_must_exist=True)
    begun = client.predict(MODEL, ["rice"], session="gone").session
    assert begun is not None
    assert begun.started


def test_the_second_caller_of_a_session_is_told_to_come_again(
    client: Client, http: httpx.Client
) -> None:
    text = client.stream_text(MODEL, {**ENDLESS, "session": "mine"})
    next(text)

    answer = http.post(f"/v1/models/{MODEL}/predict", json={"inputs": [""], "session": "mine"})
    with pytest.raises(ConflictError):
        client.delete_session(MODEL, "mine")
    cast("Generator[object]", text).close()

    assert (answer.status_code, answer.json()["code"]) == (409, "session_in_use")
    assert answer.headers["x-should-retry"] == "true"
    assert int(answer.headers["Retry-After"]) > 0
