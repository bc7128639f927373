"""What goes between a worker and its children. Without torch, which a worker never imports."""

import os
from typing import NamedTuple

from service.domain.jobs import Claim

DATABASE_AWAY = os.EX_TEMPFAIL
"""How a child ends that lost the database in the midst of it: no fault of its job."""


class Abilities(NamedTuple):
    """What jobs this machine can run: found out in a child, for asking CUDA spoils a process."""

    devices: list[str]
    components: list[str]


class Downloads(NamedTuple):
    """Where datasets are downloaded from, if not from their own mirrors, and how large they may be
    when they are unpacked."""

    mirror: str | None
    max_dataset_bytes: int


class Work(NamedTuple):
    """What a child is given: nothing that belongs to a process."""

    claim: Claim
    database_url: str
    threads: int
    memory_bytes: int
    log_level: int
    downloads: Downloads
    yields: bool = False
    """Of the threads the job takes only so many as others leave free."""
    nice: int = 0
    """How far it steps back behind all else on the machine, as in nice(1)."""
