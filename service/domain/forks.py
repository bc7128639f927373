"""What a fork is made of."""

from typing import NamedTuple

from service.domain.beginnings import KeptCheckpoint
from service.domain.jobs import Job


class ForkSource(NamedTuple):
    """A job, one of its checkpoints, and the best one of the moment at which that was written.

    `best` is None where it is no longer kept (`best_is_gone`), or where there was none yet.
    """

    job: Job
    checkpoint: KeptCheckpoint
    best: KeptCheckpoint | None
    best_is_gone: bool
