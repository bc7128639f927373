"""Sending again: which calls, after what, and after how long. No I/O: whoever sends tells.

Nothing was done, so any call is sent again:
- the connection was refused, so nothing was sent;
- 429, and 503 with a code of `NOTHING_DONE`: turned away at the door.

Perhaps it was done, so only a repeatable call (`Call.repeatable`) is sent again:
- the connection broke;
- any other 503: `database_busy` may come from the COMMIT, after which the job may well exist.

It is being done, for a request with the same key: it is waited for, as long as `patience` lasts.

Never: timeouts (`timeout` says how long the caller wants to wait), and all other answers, also a
409 that would pass by itself (`model_not_ready`), for which waiting is the caller's decision. A
repeated DELETE may be answered with 404: the first one did it, and its answer was lost.
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import Any

import httpx

from service.client import answers
from service.client.call import Call, Outcome

NOTHING_DONE = frozenset({"queue_full", "service_busy"})
"""Codes of 503 that the service answers before it does anything."""

BEING_DONE = "idempotency_in_progress"
"""The code of a 409: a request with this key still runs."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often, and for how long. Times are in seconds.

    The pause before the n-th repetition is drawn from 0 … `first` · 2ⁿ⁻¹, at most `longest`, so
    that clients that failed together do not come back together; what Retry-After says comes on top.
    A call is given up rather than repeated later than `patience` after it began.
    """

    retries: int = 2
    first: float = 0.25
    longest: float = 5.0
    patience: float = 30.0
    random: Random = field(default_factory=Random, repr=False)


class Attempts:
    """One call, sent once or more often. Every outcome is told to `pause_after`."""

    def __init__(self, call: Call[Any], policy: RetryPolicy, *, now: float) -> None:
        self._call = call
        self._policy = policy
        self._made = 0
        self._last_moment = now + policy.patience + call.wait_seconds

    def pause_after(self, outcome: Outcome, *, now: float) -> float | None:
        """Return how long to wait before sending it again; None when this outcome is the last."""
        policy = self._policy
        if not may_repeat(self._call, outcome):
            return None
        if policy.retries == 0 or not _is_being_done(outcome):
            self._made += 1
        if self._made > policy.retries:
            return None
        doubled = 2 ** max(0, self._made - 1)
        jitter = policy.random.uniform(0, min(policy.longest, policy.first * doubled))
        pause = jitter + _asked_pause(outcome)
        return pause if now + pause <= self._last_moment else None


def may_repeat(call: Call[Any], outcome: Outcome) -> bool:
    """Tell whether the outcome may be better next time, and trying so does no harm."""
    if isinstance(outcome, httpx.Response):
        if outcome.status_code == HTTPStatus.TOO_MANY_REQUESTS or _is_being_done(outcome):
            return True
        return outcome.status_code == HTTPStatus.SERVICE_UNAVAILABLE and (
            call.repeatable or answers.problem_code(outcome) in NOTHING_DONE
        )
    if isinstance(outcome, httpx.ConnectError):
        return True
    return call.repeatable and isinstance(outcome, httpx.NetworkError | httpx.RemoteProtocolError)


def _is_being_done(outcome: Outcome) -> bool:
    if not isinstance(outcome, httpx.Response) or outcome.status_code != HTTPStatus.CONFLICT:
        return False
    return answers.problem_code(outcome) == BEING_DONE


def _asked_pause(outcome: Outcome) -> float:
    if isinstance(outcome, httpx.Response):
        return answers.retry_after_seconds(outcome) or 0.0
    return 0.0
