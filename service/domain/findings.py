"""What the doctor finds while a job trains: an illness, its evidence, and what to try."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Self, get_args

from pydantic import Field, JsonValue

from service.domain.base import Outgoing

FindingCode = Literal[
    "lr_too_large",
    "lr_too_small",
    "stuck_at_baseline",
    "dead_relus",
    "saturated",
    "exploding_gradients",
    "vanishing_gradients",
    "overfitting",
    "class_never_predicted",
    "still_improving",
]
FINDING_CODES: tuple[FindingCode, ...] = get_args(FindingCode)


class Found(NamedTuple):
    """What was said of a job, and is not said again; `layer` is None where it is of none."""

    code: str
    layer: str | None

    @classmethod
    def of(cls, data: Mapping[str, JsonValue]) -> Self:
        """Read it from an event's data."""
        layer = data.get("layer")
        return cls(str(data["code"]), layer if isinstance(layer, str) else None)


class TrainingFinding(Outgoing):
    """The data of an event `finding`. Each code is said once per job, of layers once per layer."""

    code: FindingCode
    message: str = Field(description="What is seen, with its numbers, and what to try.")
    evidence: dict[str, JsonValue] = Field(description="The numbers that it was found by.")
    patch: dict[str, JsonValue] | None = Field(
        description="A merge patch to fork the job with; null: no option of the job helps."
    )
    layer: str | None = Field(
        default=None, description="Of a layer: its name, as weights are named in a checkpoint."
    )

    def event_data(self) -> dict[str, JsonValue]:
        """Return it as an event carries it: without `layer` where it is of none."""
        left_out = {"layer"} if self.layer is None else None
        return self.model_dump(mode="json", exclude=left_out)
