"""Following a job: which looks at it are worth telling, when to look again, when to give up.

No I/O: whoever looks hands in what was seen, and the time in seconds of any steady clock.
"""

from service.client.errors import TrainyardError
from service.domain.jobs import ENDED, Job

EVERY = 0.5
PATIENCE = 10.0
WAIT = 20.0
"""Seconds a service is asked to hold its answer back; proxies cut what is silent for longer."""


class Following:
    """What the looks at a job have shown so far."""

    def __init__(
        self,
        job_id: str,
        *,
        every: float,
        wait: float,
        deadline: float | None,
        patience: float,
        now: float,
    ) -> None:
        self._job_id = job_id
        self._every = every
        self._wait = wait
        self._deadline = deadline
        self._patience = patience
        self._started = now
        self._asked = now
        self._away_since: float | None = None
        self._last: Job | None = None
        self._at_once = False

    @property
    def over(self) -> bool:
        """Whether the job has ended or is paused: it will not go on by itself."""
        return self._last is not None and is_over(self._last)

    def is_news(self, job: Job, *, now: float) -> bool:
        """Take a look; tell whether it differs from the one before."""
        changed = job != self._last
        moved = self._last is None or job.status != self._last.status
        held_back = now - self._asked >= self._wait / 2
        # A service that does not wait when it is asked to shall not be asked all the time.
        self._at_once = self._wait > 0 and (moved or held_back)
        self._last = job
        self._away_since = None
        return changed

    def missed(self, error: TrainyardError, *, now: float) -> None:
        """Take note that nobody answered. Raises `error` when that has lasted too long.

        A service that has never answered is not waited for.
        """
        self._at_once = False
        if self._away_since is None:
            self._away_since = now
        if self._last is None or now - self._away_since > self._patience:
            raise error

    def wait(self, *, now: float) -> float:
        """Return for how long the look that begins now may wait for another status.

        The first one may not: services wait for the next status of a job that is paused, too.
        """
        self._asked = now
        if self._last is None:
            return 0.0
        if self._deadline is None:
            return self._wait
        return max(0.0, min(self._wait, self._started + self._deadline - now))

    def pause(self, *, now: float) -> float:
        """Return how long to wait before the next look. Raises TimeoutError after the deadline."""
        if self.over:
            return 0.0
        if self._deadline is not None and now - self._started > self._deadline:
            message = f"{self._job_id} had not ended after {self._deadline:g} seconds"
            raise TimeoutError(message)
        return 0.0 if self._at_once else self._every


def is_over(job: Job) -> bool:
    """Tell whether the job has ended or is paused."""
    return job.status in ENDED or job.status == "paused"
