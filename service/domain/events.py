"""An event: something that happened to a job.

| type | when | data |
|---|---|---|
| `queued` | accepted, or given back to the queue | `reason` |
| `claimed` | a worker took it | `attempt`, `worker` |
| `started` | training begins or goes on | `run`, `checkpoint`, `step`, `exact`, `differs` |
| `range_test` | lr was picked, just before | `lr`, `reason`, `curve`: lists `lr` and `loss` |
| `progress` | at most once a second, at whole percents | as in the job, and `train_loss` |
| `finding` | training shows an illness | `code`, `message`, `evidence`, `patch`, `layer` |
| `epoch` | an epoch has ended and was validated | `epoch`, `step`, `metrics` |
| `checkpoint` | a checkpoint is stored | `checkpoint`, `kind`, `step`, `epoch`, hashes |
| `warning` | something a reader should know | `code`, `message`, more by code |
| `pausing`, `cancelling` | a running job was told so | |
| `paused`, `resumed`, `cancelled`, `retried` | it was done | |
| `died` | the job's process ended without ending the job | `code`, `message`, `deaths` |
| `reclaimed` | its worker's lease expired; it is queued again | `reason` |
| `succeeded`, `failed` | the end | the result in short; `code`, `message`, `hint` |

Warnings have the codes `resume_not_exact`, `state_dropped`, `initialized_from`, `patience_renewed`,
`model_task_differs`.
"""

from typing import Literal

from pydantic import JsonValue

from service.domain.base import Moment, Outgoing

EventType = Literal[
    "queued",
    "claimed",
    "started",
    "range_test",
    "progress",
    "finding",
    "epoch",
    "checkpoint",
    "warning",
    "pausing",
    "paused",
    "resumed",
    "cancelling",
    "cancelled",
    "died",
    "reclaimed",
    "retried",
    "succeeded",
    "failed",
]


class Event(Outgoing):
    """An event as clients see it. `seq` counts from 1, without gaps, per job."""

    object: Literal["event"] = "event"
    job: str
    seq: int
    type: EventType
    created_at: Moment
    data: dict[str, JsonValue]


class EventList(Outgoing):
    """A page of a job's events, in their order; the cursor is `seq`."""

    object: Literal["list"] = "list"
    data: list[Event]
    first_id: int | None
    last_id: int | None
    has_more: bool
