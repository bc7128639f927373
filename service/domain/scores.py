"""What `/score` takes and gives: how probable a model finds a text, token by token."""

from typing import Annotated, Literal

from pydantic import Field

from service.domain.base import Incoming, Outgoing
from service.domain.text import Text

MAX_TEXTS = 256


class ScoreRequest(Incoming):
    """The body of `/score`."""

    inputs: Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)] = Field(
        description="Texts. Of a very long one the last 1,024 tokens are scored."
    )


class ScoredToken(Outgoing):
    """One token, and ln of the probability that it comes after all tokens before it."""

    token: str
    logprob: float


class Score(Outgoing):
    """One text. Its perplexity is exp(-logprob / tokens), of the tokens listed here."""

    tokens: list[ScoredToken]
    logprob: float = Field(description="Of all tokens: the sum of theirs.")
    perplexity: float | None = Field(description="null: there is no token, or it is infinite.")
    end_logprob: float = Field(description="ln of the probability that the text ends here.")
    unknown: list[str] = Field(
        default=[], description="Not in the vocabulary: scored as an unknown word."
    )
    warnings: list[str] = []


class ScoreResponse(Outgoing):
    """The scores, in the order of the inputs, and which weights gave them."""

    object: Literal["scores"] = "scores"
    model: str
    version: int | None
    checkpoint: str | None
    scores: list[Score]
