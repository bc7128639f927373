"""What `/generate` takes and gives: a text written on, token by token."""

from typing import Annotated, Literal

from pydantic import Field

from service.domain.base import Incoming, Outgoing
from service.domain.requests import SEED_MAX
from service.domain.sessions import InSession, MustExist, SessionState
from service.domain.text import ShortText, Text

MAX_TOKENS = 4096
MAX_STOPS = 16

FinishReason = Literal["length", "stop", "eos"]
StopText = Annotated[ShortText, Field(min_length=1)]


class GenerateRequest(Incoming):
    """The body of `/generate`. With a seed, equal requests of one version have equal answers."""

    prompt: Text = Field(
        default="",
        description="What is written on; empty: a text from nothing, or from what a session has. "
        "Of one that is longer than the model's context the last tokens are read, and `warnings` "
        "says so.",
    )
    max_tokens: int = Field(
        default=50, ge=1, le=MAX_TOKENS, description="So many tokens at most: length."
    )
    temperature: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="Divides the logits: below 1 what is likely gets likelier. 0: always the most "
        "probable token, which needs no seed.",
    )
    top_k: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Only of the k most probable tokens."
    )
    top_p: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Only of the fewest tokens whose probabilities add up to so much (nucleus, "
        "Holtzman et al. 2020).",
    )
    repetition_penalty: float = Field(
        default=1.0,
        gt=0,
        le=10,
        description="Above 1, tokens of the prompt and of the text so far get less likely: their "
        "logits are divided by it, negative ones multiplied (Keskar et al. 2019).",
    )
    seed: int | None = Field(
        default=None, ge=0, le=SEED_MAX, description="null: one is drawn, and told."
    )
    stop: Annotated[list[StopText], Field(max_length=MAX_STOPS)] = Field(
        default=[], description="Texts before which the answer ends."
    )
    stream: bool = Field(default=False, description="Send each token when it is found.")
    session: InSession = None
    session_must_exist: MustExist = False


class GeneratedToken(Outgoing):
    """One token: as it is in the vocabulary, what it adds to the text, and ln of its probability.

    The probability is that of the model, before temperature, penalty and choice of candidates.
    """

    token: str
    text: str
    logprob: float


class Usage(Outgoing):
    """What was read and written, in tokens."""

    prompt_tokens: int
    generated_tokens: int


class Generation(Outgoing):
    """A text that was written on; `text` goes behind the prompt as it is."""

    object: Literal["generation"] = "generation"
    model: str
    version: int | None
    checkpoint: str | None
    prompt: str
    text: str
    tokens: list[GeneratedToken]
    finish_reason: FinishReason
    seed: int
    unknown: list[str] = Field(default=[], description="Of the prompt: not in the vocabulary.")
    warnings: list[str] = []
    usage: Usage
    session: SessionState | None = None
