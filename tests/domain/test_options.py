"""Options that came later: at their default they change nothing that was hashed before."""

from typing import Annotated, Literal

from pydantic import Field

from service.architectures.mlp import MlpConfig
from service.domain.base import LATER, Incoming, resolved_options
from service.domain.components import Component, ComponentConfig


class _Config(ComponentConfig, frozen=True):
    type: Literal["plain"] = "plain"
    size: int = 3
    later: Annotated[int, LATER] = Field(default=7, ge=1)


class _Options(Incoming):
    lowercase: bool = True
    tokenizer: Annotated[Literal["word", "char"], LATER] = "word"


def test_an_option_that_came_later_is_left_out_at_its_default() -> None:
    assert Component.of(_Config()).options() == {"type": "plain", "size": 3}
    assert resolved_options(_Options(lowercase=True, tokenizer="word")) == {"lowercase": True}


def test_any_other_value_of_it_is_kept() -> None:
    assert Component.of(_Config(later=8)).options() == {"type": "plain", "size": 3, "later": 8}
    assert resolved_options(_Options(tokenizer="char")) == {"lowercase": True, "tokenizer": "char"}


def test_what_was_left_out_reads_back_as_the_default() -> None:
    assert MlpConfig.model_validate(Component.of(MlpConfig()).options()) == MlpConfig()
