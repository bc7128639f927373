"""Sessions: a text in parts is the text in one piece, and nobody reads another's."""

# torch leaves parts of these functions untyped.
# pyright: reportUnknownMemberType=false

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import torch

from service.domain.components import Component
from service.domain.generations import GenerateRequest
from service.domain.models import Servable
from service.domain.predictions import PredictRequest, PredictResponse, TokenCandidate
from service.domain.problems import Busy
from service.prediction import in_session
from service.prediction.batching import Batcher, Loaded, always
from service.prediction.finding import Found
from service.prediction.reading import BEGINNING, Read, SoFar
from service.prediction.sessions import (
    Held,
    SessionInUse,
    SessionKey,
    SessionNotFound,
    Sessions,
    session_key,
)
from service.prediction.writing import Writer
from tests.prediction.test_writing import ARCHITECTURES, a_model, written

TOLERANCE = 1e-4
"""Of ln of a probability, where logits are about 30: in pieces, float32 adds in another order."""


def a_servable(loaded: Loaded, **other: Any) -> Servable:
    facts: dict[str, Any] = {
        "model": "eating",
        "version": 1,
        "checkpoint": None,
        "task": "next_word",
        "architecture": Component.model_validate({"type": "rnn"}),
        "dataset": "eating",
        "weights_sha256": str(id(loaded.model)),
        "weights_bytes": 1,
        "preparation_sha256": "p",
    }
    return Servable(**{**facts, **other})


class Caller:
    """Asks a model in one session, call after call."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.sessions = Sessions()
        self.found = Found(a_servable(loaded), loaded)

    def take(self, now: float = 0.0) -> Held:
        key = session_key(self.found.servable, None, "a")
        return self.sessions.take(key, must_exist=False, now=now)

    def predict(
        self,
        text: str,
        *,
        wanted: Callable[[], bool] = always,
        heard: Callable[[], bool] = always,
    ) -> PredictResponse:
        """Ask as the engine does."""
        asked = PredictRequest.model_validate(
            {"inputs": [text], "session": "a", "top_k": 1000, "special_tokens": True}
        )
        held, batcher = self.take(), Batcher()
        encoded = self.loaded.task.encode(asked.inputs)
        try:
            return asyncio.run(
                in_session.answer(
                    self.found,
                    encoded,
                    asked,
                    held,
                    sessions=self.sessions,
                    batcher=batcher,
                    started=0.0,
                    wanted=wanted,
                    heard=heard,
                )
            )
        finally:
            batcher.close()
            self.sessions.give_back(held)

    def write(self, *, turns: int = 10**9, seed: int = 0, **asked: Any) -> Writer:
        """Write as the engine does, at most so many turns."""
        request = GenerateRequest.model_validate(asked)
        held = self.take()
        encoded = self.loaded.task.encode([request.prompt])
        writer = Writer(self.loaded, request, encoded, seed=seed, before=held.before)
        while writer.finish_reason is None and turns > 0:
            writer.take_turn()
            turns -= 1
        if writer.finish_reason is not None:
            self.sessions.keep(held, writer.so_far(), now=0.0)
        self.sessions.give_back(held)
        return writer


def a_wide_model(architecture: str) -> Loaded:
    """Make one that sees all of a session here."""
    return a_model(architecture, **({"context": 16} if architecture == "transformer" else {}))


def a_seed(loaded: Loaded, prompt: str) -> tuple[int, Writer]:
    """Find a seed with which two different tokens are written behind a prompt."""
    tried = ((seed, written(loaded, prompt=prompt, max_tokens=2, seed=seed)) for seed in range(99))
    return next((seed, each) for seed, each in tried if len({one.text for one in each.tokens}) == 2)


def logprobs(answer: PredictResponse) -> dict[str, float]:
    candidates = answer.predictions[0].candidates
    return {each.token: each.logprob for each in candidates if isinstance(each, TokenCandidate)}


def whole(loaded: Loaded, text: str) -> dict[str, float]:
    """Tell what the text in one piece is answered, past everything about sessions."""
    encoded = loaded.task.encode([text])
    logits = loaded.task.infer(loaded.model, encoded)
    found = loaded.task.decode(logits, encoded, top_k=1000, special_tokens=True)[0].candidates
    return {each.token: each.logprob for each in found if isinstance(each, TokenCandidate)}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_text_in_parts_is_answered_as_the_text_in_one_piece(architecture: str) -> None:
    caller = Caller(a_wide_model(architecture))

    text = ""
    for number, part in enumerate(("I like", "", "rice", "and soup")):
        text = f"{text} {part}".strip()
        answer = caller.predict(part)
        assert logprobs(answer) == pytest.approx(whole(caller.loaded, text), abs=TOLERANCE)
        assert answer.session is not None
        assert answer.session.tokens == len(text.split())
        assert answer.session.started == (number == 0)
        assert answer.predictions[0].warnings == []


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_written_goes_behind_what_was_read_and_is_read_itself(architecture: str) -> None:
    loaded = a_wide_model(architecture)
    seed, alone = a_seed(loaded, "I like")
    caller = Caller(loaded)
    caller.predict("I like")

    first = caller.write(max_tokens=2, seed=seed)

    assert first.text == alone.text
    text = f"I like{first.text}"
    assert logprobs(caller.predict("")) == pytest.approx(whole(loaded, text), abs=TOLERANCE)
    text = f"{text} rice"
    assert logprobs(caller.predict("rice")) == pytest.approx(whole(loaded, text), abs=TOLERANCE)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_behind_a_stop_text_it_goes_on_where_the_answer_ended(architecture: str) -> None:
    loaded = a_wide_model(architecture)
    seed, free = a_seed(loaded, "I like")
    caller = Caller(loaded)

    stopped = caller.write(prompt="I like", stop=[free.tokens[1].text], seed=seed)

    assert (stopped.finish_reason, len(stopped.tokens)) == ("stop", 1)
    text = f"I like{stopped.text}"
    assert logprobs(caller.predict("")) == pytest.approx(whole(loaded, text), abs=TOLERANCE)


def test_a_text_that_ended_is_followed_by_another() -> None:
    caller = Caller(a_model(sure=0.0))
    ended = caller.write(prompt="I like", max_tokens=500)
    assert ended.finish_reason == "eos"

    assert caller.write(max_tokens=1).text[:1] != " "
    assert caller.take().before.tokens == 2 + len(ended.tokens) + 1


def test_a_text_that_breaks_off_leaves_the_session_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.prediction.writing.TURN_SECONDS", 0.0)
    caller = Caller(a_model("transformer"))
    before = logprobs(caller.predict("I like"))

    broken = caller.write(turns=3, prompt="rice", max_tokens=100)

    assert broken.finish_reason is None
    assert logprobs(caller.predict("")) == before


def test_what_comes_too_late_leaves_the_session_as_it_was() -> None:
    caller = Caller(a_model("lstm"))
    before = logprobs(caller.predict("I like"))

    with pytest.raises(Busy):
        caller.predict("rice", wanted=lambda: False)

    assert logprobs(caller.predict("")) == before


def test_what_has_begun_in_time_is_read_to_its_end_while_somebody_hears(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(in_session, "READ_AT_ONCE", 1)
    caller = Caller(a_model("lstm"))
    before = logprobs(caller.predict(""))
    in_time = iter([True])  # asked once more, this is an error

    assert logprobs(caller.predict("I like rice", wanted=lambda: next(in_time))) != before

    read = logprobs(caller.predict(""))
    with pytest.raises(Busy):
        caller.predict("and soup", heard=lambda: False)
    assert logprobs(caller.predict("")) == read


def test_what_a_model_sees_no_more_of_a_session_is_told() -> None:
    caller = Caller(a_model("transformer"))
    caller.predict("I like rice")

    answer = caller.predict("and soup and rice")

    assert answer.predictions[0].warnings == [
        "the model sees 6 words at once: of the 7 of this session the older ones are let go"
    ]


KEY = SessionKey("ada", "w", "p", "next_word", "{}", "a")
TEXT = SoFar(Read(torch.zeros(1000), None), (), 3)


def a_store(key: SessionKey = KEY, **limits: Any) -> Sessions:
    """Make a store with one session."""
    sessions = Sessions(**limits)
    put(sessions, key)
    return sessions


def put(sessions: Sessions, key: SessionKey, *, now: float = 0.0) -> None:
    held = sessions.take(key, must_exist=False, now=now)
    sessions.keep(held, TEXT, now=now)
    sessions.give_back(held)


def begins(sessions: Sessions, key: SessionKey, *, now: float = 0.0) -> bool:
    held = sessions.take(key, must_exist=False, now=now)
    sessions.give_back(held)
    assert held.before == (BEGINNING if held.started else TEXT)
    return held.started


@pytest.mark.parametrize(
    "other",
    [
        KEY._replace(owner="bob"),
        KEY._replace(owner=None),
        KEY._replace(weights_sha256="v"),
        KEY._replace(preparation_sha256="q"),
        KEY._replace(architecture='{"heads":2}'),
        KEY._replace(id="b"),
    ],
)
def test_a_session_is_of_one_caller_of_one_version_and_of_one_id(other: SessionKey) -> None:
    sessions = a_store()

    assert begins(sessions, other)
    assert not begins(sessions, KEY)


def test_what_rests_too_long_is_forgotten() -> None:
    sessions = a_store(seconds=10.0)

    assert not begins(sessions, KEY, now=9.0)  # and that was a use
    assert not begins(sessions, KEY, now=18.0)
    assert begins(sessions, KEY, now=28.0)
    assert len(sessions) == 0


def test_the_least_recently_used_gives_way_when_memory_is_full() -> None:
    keys = [KEY._replace(id=each) for each in "abcd"]
    sessions = a_store(keys[0], memory_bytes=3 * TEXT.bytes())
    put(sessions, keys[1])
    put(sessions, keys[2])
    assert not begins(sessions, keys[0])

    put(sessions, keys[3])

    assert [begins(sessions, key) for key in keys] == [False, True, False, False]


def test_what_is_larger_than_all_memory_is_kept_alone() -> None:
    sessions = a_store(memory_bytes=1)

    assert not begins(sessions, KEY)
    put(sessions, KEY._replace(id="b"))
    assert begins(sessions, KEY)


def test_one_call_has_a_session_at_a_time_however_it_ends() -> None:
    sessions = a_store()
    held = sessions.take(KEY, must_exist=True, now=0.0)

    with pytest.raises(SessionInUse):
        sessions.take(KEY, must_exist=False, now=0.0)
    with pytest.raises(SessionInUse):
        sessions.delete(KEY, now=0.0)
    assert begins(sessions, KEY._replace(owner="bob"))

    del held  # nobody gave it back, and nobody has it
    assert not begins(sessions, KEY)


def test_a_deleted_session_begins_anew_and_a_missing_one_is_told() -> None:
    sessions = a_store()
    sessions.delete(KEY, now=0.0)

    with pytest.raises(SessionNotFound):
        sessions.delete(KEY, now=0.0)
    with pytest.raises(SessionNotFound):
        sessions.take(KEY, must_exist=True, now=0.0)
    assert begins(sessions, KEY)
