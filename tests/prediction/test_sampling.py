"""Sampling: each knob does what its formula says, and equal seeds draw equal tokens."""

# torch leaves parts of these functions untyped.
# pyright: reportUnknownMemberType=false

import math
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from service.domain.generations import GenerateRequest
from service.prediction.sampling import Sampler

SHARES = [0.05, 0.05, 0.1, 0.2, 0.6]
LOGITS = torch.tensor(SHARES).log()
NOTHING = torch.tensor([], dtype=torch.int64)


def sampler(*, seed: int = 0, never: int = 0, **asked: Any) -> Sampler:
    return Sampler(GenerateRequest.model_validate(asked), seed=seed, never=never)


def drawn(count: int = 2000, *, seen: Tensor = NOTHING, **asked: Any) -> Counter[int]:
    one = sampler(**asked)
    return Counter(one.choose(LOGITS, seen).token for _ in range(count))


def test_tokens_come_as_often_as_they_are_probable() -> None:
    found = drawn(4000)

    for token, share in enumerate(SHARES):
        assert found[token] / 4000 == pytest.approx(share, abs=0.03)


def test_temperature_divides_the_logits() -> None:
    colder = [share**2 for share in SHARES]

    found = drawn(4000, temperature=0.5)

    assert found[4] / 4000 == pytest.approx(colder[4] / sum(colder), abs=0.03)
    assert drawn(20, temperature=0) == {4: 20}


def test_only_the_most_probable_k_are_drawn() -> None:
    assert set(drawn(top_k=2)) == {3, 4}
    assert set(drawn(top_k=1)) == {4}
    assert set(drawn(top_k=1000)) == {0, 1, 2, 3, 4}


def test_only_the_fewest_that_add_up_to_p_are_drawn() -> None:
    assert set(drawn(top_p=0.6)) <= {3, 4}
    assert set(drawn(top_p=0.59)) == {4}
    assert set(drawn(top_p=0.85)) == {2, 3, 4}
    assert set(drawn(top_p=1e-9)) == {4}


def test_what_was_said_gets_less_likely() -> None:
    seen = torch.tensor([4])  # ln 0.6 is negative: twice as far from 0
    weaker = [*SHARES[:4], 0.6**2]

    found = drawn(4000, seen=seen, repetition_penalty=2.0)

    assert found[4] / 4000 == pytest.approx(weaker[4] / sum(weaker), abs=0.03)
    positive = sampler(repetition_penalty=4.0, temperature=0)
    assert positive.choose(torch.tensor([1.0, 2.0]), torch.tensor([1])).token == 0


def test_tokens_that_shall_never_be_written_are_not() -> None:
    assert set(drawn(never=3)) == {3, 4}


def test_the_probability_told_is_the_models_own() -> None:
    chosen = sampler(temperature=0, top_k=1, never=3).choose(LOGITS, NOTHING)

    assert chosen.logprob == pytest.approx(math.log(0.6))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=30),
    st.floats(0, 100),
    st.none() | st.integers(1, 40),
    st.floats(1e-6, 1),
    st.floats(5e-324, 10),
    st.integers(0, 2**63 - 1),
)
@example([3.0, 2.0], 1.0, None, 1.0, 5e-324, 0)
@example([3.0, 2.0], 5e-324, None, 1.0, 5e-324, 0)
def test_whatever_is_asked_the_same_seed_draws_the_same_tokens(
    logits: list[float],
    temperature: float,
    top_k: int | None,
    top_p: float,
    penalty: float,
    seed: int,
) -> None:
    asked: dict[str, Any] = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "repetition_penalty": penalty,
    }
    values, seen = torch.tensor(logits), torch.tensor([0])

    runs = [
        [one.choose(values, seen) for _ in range(5)]
        for one in (sampler(seed=seed, **asked) for _ in range(2))
    ]

    assert runs[0] == runs[1]
    assert all(0 <= each.token < len(logits) for each in runs[0])
