"""An event: something that happened to a job."""

from typing import Literal

from pydantic import JsonValue

from service.domain.base import Moment, Outgoing


class Event(Outgoing):
    """An event as clients see it. `seq` counts from 1, without gaps, per job."""

    object: Literal["event"] = "event"
    job: str
    seq: int
    type: str
    created_at: Moment
    data: dict[str, JsonValue]
