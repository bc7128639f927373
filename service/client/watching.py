"""Following a job: which looks at it are worth telling, and when there is nothing more to see."""

from service.domain.jobs import ENDED, Job


class Following:
    """What the last look at a job showed. No I/O: whoever sends hands in each look."""

    def __init__(self) -> None:
        self.last: Job | None = None

    def is_news(self, job: Job) -> bool:
        """Take a look; tell whether it differs from the one before."""
        changed = job != self.last
        self.last = job
        return changed

    @property
    def over(self) -> bool:
        """Whether the job has ended or is paused: it will not go on by itself."""
        return self.last is not None and is_over(self.last)


def is_over(job: Job) -> bool:
    """Tell whether the job has ended or is paused."""
    return job.status in ENDED or job.status == "paused"
