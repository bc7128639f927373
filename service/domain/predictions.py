"""What `/predict` takes and gives."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from service.domain.base import Incoming, Outgoing
from service.domain.evidence import EvidenceCount, EvidenceFrom, Neighbour
from service.domain.sessions import InSession, MustExist, SessionState

MAX_INPUTS = 1024
MAX_TOP_K = 1000

Input = JsonValue | bytes
"""One input: JSON as it was sent, or the bytes of an image file."""


Probabilities = Literal["calibrated", "raw"]
AbstainBelow = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Mark answers whose best candidate is less probable as `abstained`.",
    ),
]


Deadline = Annotated[
    int | None,
    Field(
        ge=1,
        le=60_000,
        description="503 if the model was not free for it within so many milliseconds, and nothing "
        "is computed; null: within five seconds.",
    ),
]


class PredictRequest(Incoming):
    """The JSON body of `/predict`; what an input looks like depends on the model's task."""

    free_fields = frozenset({"inputs"})

    inputs: Annotated[list[JsonValue], Field(min_length=1, max_length=MAX_INPUTS)] = Field(
        description="Texts; images: rows of pixels 0…255, or {'b64': a PNG or JPEG}; rows of a "
        "table: {'column': value}, null where a value is missing."
    )
    top_k: int = Field(default=5, ge=1, le=MAX_TOP_K, description="Candidates per input.")
    special_tokens: bool = Field(
        default=False, description="Also list <eos> and <unk> among the next words."
    )
    probabilities: Probabilities = Field(
        default="calibrated",
        description="calibrated: the logits are divided by the temperature that was fitted on the "
        "validation data of the version (Guo et al. 2017), where there is one; raw: as they are.",
    )
    abstain_below: AbstainBelow = None
    evidence: EvidenceCount = None
    deadline_ms: Deadline = None
    session: InSession = None
    session_must_exist: MustExist = False


class TokenCandidate(Outgoing):
    """A possible next word."""

    token: str
    probability: float
    logprob: float = Field(description="ln of the probability.")


class LabelCandidate(Outgoing):
    """A possible class."""

    label: str
    probability: float
    logprob: float = Field(description="ln of the probability.")


class Prediction(Outgoing):
    """The answer to one input: candidates, the best first, or of a regression a value."""

    candidates: list[TokenCandidate | LabelCandidate] = []
    value: float | None = Field(default=None, description="Regression only.")
    unit: str | None = Field(default=None, description="Of the value, where the data say it.")
    abstained: bool | None = Field(
        default=None, description="With abstain_below: whether even the best is less probable."
    )
    seen: str | None = Field(
        default=None,
        description="With explain=input: the picture as the model sees it, a PNG in base64.",
    )
    unknown: list[str] = Field(default=[], description="Words that the vocabulary does not have.")
    warnings: list[str] = []
    evidence: list[Neighbour] | None = Field(
        default=None, description="With evidence: the nearest training examples, nearest first."
    )


class Timings(Outgoing):
    """Where the time went, in milliseconds."""

    queue_ms: float
    model_ms: float
    total_ms: float
    batch_size: int


class PredictResponse(Outgoing):
    """The answers, in the order of the inputs, and which weights gave them."""

    object: Literal["predictions"] = "predictions"
    model: str
    version: int | None
    checkpoint: str | None
    task: str
    temperature: float | None = Field(
        default=None, description="What the logits were divided by; null: they are raw."
    )
    predictions: list[Prediction]
    evidence: EvidenceFrom | None = Field(
        default=None, description="With evidence: what the nearest examples were looked for in."
    )
    timings: Timings
    session: SessionState | None = None


class PredictionAt(Outgoing):
    """What one checkpoint answered; raw probabilities, for nobody calibrated it."""

    checkpoint: str
    step: int
    epoch: int
    metrics: dict[str, float | None]
    prediction: Prediction


class PredictionsOverTime(Outgoing):
    """The answers of a job's kept checkpoints to one question, in the order of the training."""

    object: Literal["predictions_over_time"] = "predictions_over_time"
    model: str
    job: str
    task: str
    data: list[PredictionAt]
