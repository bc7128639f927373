"""The actions that a job refuses in its status: the 409s of the table of actions, every one."""

from typing import NamedTuple

from tests.integration.cases.base import Case


class Refused(NamedTuple):
    """An action that is not legal, and those that are."""

    action: str
    status: str
    legal: list[str]


LEGAL = {
    "queued": ["cancel", "pause", "resume", "delete"],
    "running": ["cancel", "pause", "resume"],
    "paused": ["cancel", "pause", "resume", "delete"],
    "succeeded": ["delete"],
    "failed": ["retry", "delete"],
    "cancelled": ["cancel", "retry", "delete"],
}
ALL = ["cancel", "pause", "resume", "retry", "delete"]
REFUSED = [
    Refused(action, status, legal)
    for status, legal in LEGAL.items()
    for action in ALL
    if action not in legal
]


def refused_case(refused: Refused) -> Case:
    """Make a case of the action on a job that has the status."""
    job = f"/v1/jobs/{{{refused.status}}}"
    deletes = refused.action == "delete"
    return Case(
        f"{refused.action} of a {refused.status} job",
        409,
        "job_action_refused",
        method="DELETE" if deletes else "POST",
        path=job if deletes else f"{job}/{refused.action}",
    )


ACTIONS = [refused_case(refused) for refused in REFUSED]
