"""The action × status table: what each action does to a job. Everything uses this one table."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from service.domain.jobs import JobStatus
from service.domain.problems import Conflict

JobAction = Literal["cancel", "pause", "resume", "retry", "delete"]
Order = Literal["cancel", "pause"]
ToldSo = Literal["cancelling", "pausing"]
"""What a running job has been told; its child process obeys at the next batch."""


class Becomes(NamedTuple):
    """The action is legal. The status changes to `status`, and `order` is noted for the child."""

    status: JobStatus
    order: Order | None = None


class Gone(NamedTuple):
    """The action is legal and removes the job."""


class Refused(NamedTuple):
    """The action is not legal; `instead` is what would be, if anything."""

    instead: str | None


Outcome = Becomes | Gone | Refused

TRANSITIONS: Mapping[JobAction, Mapping[JobStatus, Outcome]] = {
    "cancel": {
        "queued": Becomes("cancelled"),
        "running": Becomes("running", order="cancel"),
        "paused": Becomes("cancelled"),
        "succeeded": Refused(None),
        "failed": Refused(None),
        "cancelled": Becomes("cancelled"),
    },
    "pause": {
        "queued": Becomes("paused"),
        "running": Becomes("running", order="pause"),
        "paused": Becomes("paused"),
        "succeeded": Refused(None),
        "failed": Refused(None),
        "cancelled": Refused(None),
    },
    "resume": {
        "queued": Becomes("queued"),
        "running": Becomes("running"),  # takes back a pause that was noted
        "paused": Becomes("queued"),
        "succeeded": Refused("fork"),
        "failed": Refused("retry"),
        "cancelled": Refused("retry"),
    },
    "retry": {
        "queued": Refused(None),
        "running": Refused(None),
        "paused": Refused("resume"),
        "succeeded": Refused("fork"),
        "failed": Becomes("queued"),
        "cancelled": Becomes("queued"),
    },
    "delete": {
        "queued": Gone(),
        "running": Refused("cancel"),
        "paused": Gone(),
        "succeeded": Gone(),
        "failed": Gone(),
        "cancelled": Gone(),
    },
}

ORDER_REASONS: Mapping[Order, ToldSo] = {
    "cancel": "cancelling",
    "pause": "pausing",
}
"""`status_reason` of a running job that has been told to stop."""


def legal_actions(status: JobStatus) -> list[str]:
    """List what can be done with a job in this status."""
    return [
        action
        for action, outcomes in TRANSITIONS.items()
        if not isinstance(outcomes[status], Refused)
    ]


class JobActionRefused(Conflict):
    """The table says no."""

    code = "job_action_refused"
    title = "The job's status does not allow this"

    def __init__(self, job_id: str, action: JobAction, current_status: JobStatus) -> None:
        outcome = TRANSITIONS[action][current_status]
        instead = outcome.instead if isinstance(outcome, Refused) else None
        advice = f" Use {instead} instead." if instead else ""
        super().__init__(
            f"{job_id} is {current_status}; {action} is not possible then.{advice}",
            current_status=current_status,
            legal_actions=[*legal_actions(current_status)],
        )
