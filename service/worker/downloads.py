"""Bring in what a job's dataset still lacks, before the job trains.

File by file: a finished one is stored at once and stays, whatever becomes of the job. Meanwhile
orders are obeyed, and the job's `status_reason` says how far it is.
"""

import logging
import time
from collections.abc import Sequence
from tempfile import TemporaryFile
from threading import Thread
from typing import BinaryIO
from urllib.parse import quote

from service.datasets import registry
from service.datasets.base import Download, DownloadFile
from service.domain.datasets import DatasetFacts, DatasetFile
from service.domain.jobs import JobError
from service.domain.ports import Command
from service.store import blobs
from service.store import datasets as dataset_store
from service.store.engine import database_now
from service.store.leases import held_job, report_reason
from service.store.patience import patiently
from service.training.failures import TrainingFailed
from service.worker.fetching import Fetch, FetchFailed, Stopped
from service.worker.outage import Outage
from service.worker.runners.base import Run

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.1
SAY_EVERY = 1.0
MIRROR = "TRAINYARD_DATASET_MIRROR"
HINT = (
    f"Let the worker reach the mirror, or set {MIRROR} to the URL of a folder that has the files "
    "as {dataset}/{file}; then retry the job. What was downloaded wholly is kept."
)


class DownloadFailed(TrainingFailed):
    """A file of the dataset did not come, or was another one than the one that is known."""

    def __init__(self, dataset: str, file: str, failure: FetchFailed) -> None:
        code = "download_corrupt" if failure.corrupt else "download_failed"
        message = f"{file} of {dataset} could not be downloaded. {failure}."
        hint = HINT.format(dataset=dataset, file=file)
        super().__init__(JobError(code=code, message=message, hint=hint))


class SourceUnknown(TrainingFailed):
    """The dataset's bytes are missing, and nothing installed here says where they come from."""

    def __init__(self, dataset: str, file: str) -> None:
        message = f"Nothing on this worker says where {file} of {dataset} can be downloaded."
        hint = "Install the package that brings the dataset, in its version that the API has."
        super().__init__(JobError(code="download_failed", message=message, hint=hint))


class DatasetTooLarge(TrainingFailed):
    """The dataset needs more memory than the service allows."""

    def __init__(self, dataset: str, decoded: int, allowed: int) -> None:
        message = f"{dataset} unpacks to {decoded:,} bytes; this worker takes {allowed:,}."
        hint = "Choose a smaller dataset, or raise TRAINYARD_MAX_DATASET_BYTES."
        super().__init__(JobError(code="dataset_too_large", message=message, hint=hint))


def bring_in(attempt: Run, dataset: DatasetFacts) -> Command | None:
    """Download and store what is missing. Return the order that ended it early, if there was one.

    Where nothing is missing nothing is done. Raises the failures above, and LeaseLost.
    """
    missing = _missing(attempt, dataset)
    if not missing:
        return None
    download = registry.downloads().get(dataset.name)
    for file in missing:
        known = _known(download, file)
        if download is None or known is None:
            raise SourceUnknown(dataset.name, file.role)
        allowed = attempt.downloads.max_dataset_bytes
        if download.decoded_bytes > allowed:
            raise DatasetTooLarge(dataset.name, download.decoded_bytes, allowed)
        if file not in _missing(attempt, dataset):
            continue  # another job brought it meanwhile
        order = _bring_in_file(attempt, download, known)
        if order is not None:
            return order
    patiently(lambda: _say(attempt, None))
    return None


def in_megabytes(received: int, total: int) -> str:
    """Say how much of how much, both in the unit that fits the whole."""
    factor, unit = (1e6, "MB") if total >= 1e6 else (1e3, "kB")
    return f"{received / factor:.1f} of {total / factor:.1f} {unit}"


def urls_of(download: Download, file: DownloadFile, mirror: str | None) -> Sequence[str]:
    """List where to fetch a file: from the setting's mirror alone, or from the dataset's own."""
    if mirror is not None:
        return [f"{mirror.rstrip('/')}/{quote(download.name, safe='')}/{file.name}"]
    return [f"{each.rstrip('/')}/{file.name}" for each in download.mirrors]


def _missing(attempt: Run, dataset: DatasetFacts) -> list[DatasetFile]:
    with attempt.database.read() as session:
        return dataset_store.list_missing(session, dataset.id)


def _known(download: Download | None, file: DatasetFile) -> DownloadFile | None:
    """Find where a file comes from: by its hash, for the row may be older than the package."""
    if download is None:
        return None
    return next((each for each in download.files if each.sha256 == file.sha256), None)


def _bring_in_file(attempt: Run, download: Download, file: DownloadFile) -> Command | None:
    urls = urls_of(download, file, attempt.downloads.mirror)
    # Without a name: nothing of it is left behind when this process is killed.
    with TemporaryFile(buffering=0) as target:
        fetching = _Fetching(Fetch(file, target), urls)
        order = _watch(attempt, file, fetching)
        if order is not None:
            return order
        if fetching.failure is not None:
            raise DownloadFailed(download.name, file.name, fetching.failure)
        patiently(lambda: _store(attempt, target))
    logger.info("%s: %s of %s is stored", attempt.claim.job_id, file.name, download.name)
    return None


class _Fetching(Thread):
    """Fetches; it may hang in the network for longer than an order may wait, hence a daemon."""

    def __init__(self, fetch: Fetch, urls: Sequence[str]) -> None:
        super().__init__(name="download", daemon=True)
        self.fetch = fetch
        self.failure: FetchFailed | None = None
        self.ended = False
        self._urls = urls

    def run(self) -> None:
        try:
            self.fetch.run(self._urls)
        except FetchFailed as failure:
            self.failure = failure
        except Stopped:
            return
        self.ended = True


def _watch(attempt: Run, file: DownloadFile, fetching: _Fetching) -> Command | None:
    """Wait for the end of a fetch; obey orders, and tell how far it is."""
    fetching.start()
    said_at = float("-inf")
    while fetching.is_alive():
        order = attempt.command()
        if order is not None:
            fetching.fetch.stop()
            return order
        if time.monotonic() - said_at >= SAY_EVERY:
            received = in_megabytes(fetching.fetch.received, file.bytes)
            with Outage().survived():  # a database that is away is told the next time
                _say(attempt, f"downloading {file.name}: {received}")
            said_at = time.monotonic()
        fetching.join(LOOK_EVERY)
    if not fetching.ended:
        message = "the download's thread ended by a bug; the log has it"
        raise RuntimeError(message)
    return None


def _say(attempt: Run, reason: str | None) -> None:
    """Show what the job is busy with."""
    with attempt.database.begin() as session:
        report_reason(session, attempt.claim.lease, reason, now=database_now(session))


def _store(attempt: Run, content: BinaryIO) -> None:
    """Store the bytes, which are those the dataset waits for; under the lease, like every write."""
    with attempt.database.begin() as session:
        held_job(session, attempt.claim.lease)
    content.seek(0)
    sha256, _ = blobs.put(attempt.database, content)
    with attempt.database.begin() as session:
        held_job(session, attempt.claim.lease)
        blobs.unhold(session, [sha256])
