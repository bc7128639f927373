"""Writing on: the state is that of the whole text, ends come where they should, turns are fair."""

# torch leaves parts of these functions untyped.
# pyright: reportUnknownMemberType=false

import asyncio
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.architectures.base import SequenceModel
from service.domain.generations import GeneratedToken, GenerateRequest
from service.prediction.batching import Batcher, Loaded
from service.prediction.finite import NotFinite
from service.prediction.writing import Writer, turns
from service.tasks.base import Writes
from tests.training.parts import a_spec, build, text_data

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "rnn": {"type": "rnn", "hidden_size": 8, "initial_state": "normal"},
    "lstm": {"type": "lstm", "hidden_size": 8, "embedding_size": 8, "layers": 2},
    "gru": {"type": "gru", "hidden_size": 8, "embedding_size": 8},
    "transformer": {"type": "transformer", "width": 16, "heads": 2, "layers": 2, "context": 6},
}
PROMPT = "I like rice"


def a_model(architecture: str = "rnn", *, sure: float = 1.0, **options: Any) -> Loaded:
    """Make a model with random weights, which seldom ends a text; `sure` scales its logits."""
    data = text_data()
    trainable = build(a_spec(data, {**ARCHITECTURES[architecture], **options}), data)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in trainable.model.parameters():
            parameter.copy_(sure * torch.randn_like(parameter))
    return Loaded(trainable.model.eval(), trainable.task)


RNN = a_model()


def a_writer(loaded: Loaded, *, seed: int = 0, **asked: Any) -> Writer:
    request = GenerateRequest.model_validate(asked)
    return Writer(loaded, request, loaded.task.encode([request.prompt]), seed=seed)


def written(loaded: Loaded, *, seed: int = 0, **asked: Any) -> Writer:
    writer = a_writer(loaded, seed=seed, **asked)
    while writer.finish_reason is None:
        writer.take_turn()
    return writer


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_token_is_what_the_whole_text_so_far_leads_to(architecture: str) -> None:
    loaded = a_model(architecture)
    model, task = cast("SequenceModel", loaded.model), cast("Writes", loaded.task)

    writer = written(loaded, prompt=PROMPT, temperature=0, max_tokens=15)

    tokens = list(writer.prompt.tokens)
    for token in writer.tokens:
        with torch.no_grad():
            logits = model(torch.tensor([tokens]), model.initial_state(1))[0][0, -1].clone()
        logits[: task.end] = -torch.inf
        best = int(logits.argmax())
        assert task.token(best) == token.token
        assert token.logprob <= 0
        tokens.append(best)


def test_the_text_goes_behind_the_prompt_as_it_is() -> None:
    writer = written(RNN, prompt=PROMPT, max_tokens=6, seed=3)

    assert writer.text == "".join(token.text for token in writer.tokens)
    assert writer.text == "".join(f" {token.token}" for token in writer.tokens)
    assert not written(RNN, max_tokens=3).text.startswith(" ")


def test_the_same_seed_writes_the_same_and_another_one_another_text() -> None:
    asked = {"prompt": PROMPT, "max_tokens": 20}

    assert written(RNN, seed=1, **asked).text == written(RNN, seed=1, **asked).text
    assert written(RNN, seed=1, **asked).text != written(RNN, seed=2, **asked).text


def test_so_many_tokens_are_written_at_most() -> None:
    writer = written(a_model(sure=0.0), max_tokens=7, top_k=1)

    assert writer.finish_reason in {"length", "eos"}
    assert len(writer.tokens) <= 7


def test_the_end_of_a_text_ends_it() -> None:
    ends = [written(a_model(sure=0.0), seed=seed, max_tokens=500) for seed in range(3)]

    assert {writer.finish_reason for writer in ends} == {"eos"}
    assert "<eos>" not in {token.token for writer in ends for token in writer.tokens}


def test_unknown_words_are_told_and_never_written() -> None:
    writer = written(a_model(sure=0.0), prompt="I like kryptonite", max_tokens=200)

    assert writer.prompt.unknown == ["kryptonite"]
    assert "<unk>" not in {token.token for token in writer.tokens}


def test_a_prompt_longer_than_the_context_is_read_from_its_end() -> None:
    long = " ".join(["rice"] * 9)

    writer = written(a_model("transformer"), prompt=f"{long} and soup", max_tokens=3)

    assert len(writer.prompt.tokens) == 6
    assert "the last 6 of 11 were read" in " ".join(writer.prompt.warnings)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(["soup", "ou", " and", "d y", "e", "zzz", " "]), max_size=3),
    st.integers(0, 5),
)
def test_a_stop_text_ends_it_and_no_part_of_one_is_ever_sent(stops: list[str], seed: int) -> None:
    free = written(RNN, prompt=PROMPT, max_tokens=12, seed=seed).text
    writer = a_writer(RNN, prompt=PROMPT, max_tokens=12, stop=stops, seed=seed)
    sent: list[GeneratedToken] = []
    while writer.finish_reason is None:
        sent += writer.take_turn().tokens

    places = [place for stop in stops if (place := free.find(stop)) >= 0]
    assert writer.text == (free[: min(places)] if places else free)
    assert "".join(token.text for token in sent) == writer.text
    assert sent == writer.tokens
    assert (writer.finish_reason == "stop") == bool(places)


@pytest.mark.parametrize("architecture", ["rnn", "transformer"])
def test_the_same_seed_writes_the_same_whatever_else_runs(architecture: str) -> None:
    loaded = a_model(architecture)
    asked: dict[str, Any] = {"prompt": PROMPT, "max_tokens": 40}

    async def beside_others() -> list[str]:
        batcher = Batcher()
        writers = [a_writer(loaded, seed=seed, **asked) for seed in range(4)]

        async def whole(writer: Writer) -> str:
            return "".join(
                [token.text async for each in turns(writer, batcher) for token in each.tokens]
            )

        async def ask(text: str) -> None:
            for _ in range(20):
                await batcher.answer(
                    loaded, loaded.task.encode([text]), top_k=1, special_tokens=False
                )

        try:
            texts = asyncio.gather(*map(whole, writers))
            await asyncio.gather(ask("I like"), ask(PROMPT), ask("soup"))
            return await texts
        finally:
            batcher.close()

    alone = [written(loaded, seed=seed, **asked).text for seed in range(4)]
    assert asyncio.run(beside_others()) == alone


def test_for_who_went_away_nothing_more_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.prediction.writing.TURN_SECONDS", 0.0)
    writer = a_writer(RNN, prompt=PROMPT, max_tokens=4000, temperature=0)

    async def listen_to_three() -> None:
        batcher = Batcher()
        count = 0
        async for _ in turns(writer, batcher):
            count += 1
            if count == 3:
                break
        batcher.close()

    asyncio.run(listen_to_three())

    assert len(writer.tokens) == 3
    assert writer.finish_reason is None


def test_a_model_that_grows_without_bounds_says_so() -> None:
    loaded = a_model()
    with torch.no_grad():
        loaded.model.get_parameter("W_yx").fill_(torch.inf)

    with pytest.raises(NotFinite):
        written(loaded, prompt=PROMPT)
