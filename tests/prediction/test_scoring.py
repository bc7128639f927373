"""Scores are the chain rule: against the whole text read at once, and against the loss."""

# torch leaves parts of these functions untyped.
# pyright: reportUnknownMemberType=false

import math
from typing import cast

import pytest
import torch
from torch.nn import functional

from service.architectures.base import SequenceModel
from service.domain.scores import Score
from service.prediction import scoring
from service.prediction.batching import Loaded
from tests.prediction.test_writing import ARCHITECTURES, a_model

TEXT = "you like rice and soup and bread and tofu and noodles and kimchi"


def score(loaded: Loaded, text: str) -> Score:
    return scoring.score(loaded, loaded.task.encode([text]))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_token_has_its_probability_after_those_before_it(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.prediction.scoring._READ_AT_ONCE", 4)
    loaded = a_model(architecture, sure=0.3)
    model = cast("SequenceModel", loaded.model)

    found = score(loaded, TEXT)

    tokens = loaded.task.encode([TEXT]).tensor
    with torch.no_grad():
        logits = model(tokens, model.initial_state(1))[0][0]
    losses = functional.cross_entropy(logits[:-1], tokens[0, 1:], reduction="none")
    assert [each.token for each in found.tokens] == TEXT.split()
    told = torch.tensor([-each.logprob for each in found.tokens])
    torch.testing.assert_close(told, losses, rtol=1e-4, atol=1e-4)
    assert found.logprob == pytest.approx(-losses.sum().item(), rel=1e-4)
    assert found.perplexity == pytest.approx(losses.mean().exp().item(), rel=1e-4)


def test_a_text_of_nothing_has_no_perplexity_but_may_end() -> None:
    found = score(a_model(sure=0.3), "")

    assert (found.tokens, found.logprob, found.perplexity) == ([], 0.0, None)
    assert found.end_logprob < 0


def test_all_that_may_come_next_adds_up_to_one() -> None:
    loaded = a_model(sure=0.3)
    names = [name for name in loaded.task.names["words"] if not name.startswith("<")]
    before = score(loaded, "I like")

    after = [score(loaded, f"I like {name}") for name in [*names, "kryptonite"]]

    shares = [math.exp(each.logprob - before.logprob) for each in after]
    assert sum(shares) + math.exp(before.end_logprob) == pytest.approx(1)
    assert after[-1].unknown == ["kryptonite"]
