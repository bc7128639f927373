"""The two kinds of pydantic models everybody shares: what comes in, and what goes out.

What comes in is strict: `true` and `"0.1"` are no numbers, NaN and infinity never pass, unknown
fields are refused. What goes out is frozen data.
"""

from datetime import UTC, datetime
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, PlainSerializer


class Incoming(BaseModel):
    """A body, or a part of one, that a client sends."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, validate_default=True
    )

    free_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that take JSON of any kind and size: of what is in them, nothing is validated here."""


class Outgoing(BaseModel):
    """An object that a client receives, or that one room hands to another."""

    model_config = ConfigDict(frozen=True)


class _Later:
    """The type of LATER."""


LATER = _Later()
"""Marks an option that came after others were hashed: `Annotated[bool, LATER]`. At its default it
stays out of what is resolved, so that specs, certificates and hashes are what they were before."""


def resolved_options(options: BaseModel) -> dict[str, JsonValue]:
    """Return all options as JSON, but those that came later and are at their default."""
    left_out = {
        name
        for name, field in type(options).model_fields.items()
        if LATER in field.metadata and getattr(options, name) == field.default
    }
    return options.model_dump(mode="json", exclude=left_out)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        message = "a time without a zone"
        raise ValueError(message)
    return moment.astimezone(UTC)


def rfc3339(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC with six decimals: equal lengths sort as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Moment = Annotated[
    datetime, AfterValidator(_aware), PlainSerializer(rfc3339, return_type=str, when_used="json")
]
"""An aware time in UTC; JSON has it as RFC 3339 with six decimals."""
