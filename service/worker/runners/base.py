"""What a runner is handed: a claimed job and the means to run it."""

from collections.abc import Callable
from typing import NamedTuple

from service.catalogue import Catalogue
from service.domain.jobs import Claim
from service.domain.ports import Command
from service.store.engine import Database
from service.worker.abilities import Downloads
from service.worker.load import Load


class Run(NamedTuple):
    """One attempt at one job. `threads` is the most the job may use; `command` never waits.

    With `load`, a job that begins takes only so many threads as others leave free.
    """

    claim: Claim
    database: Database
    catalogue: Catalogue
    threads: int
    command: Callable[[], Command | None]
    downloads: Downloads
    load: Load | None = None
