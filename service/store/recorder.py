"""The recorder of a job's process: what training reports, written under the lease.

Metrics and progress are gathered and written about twice a second; a checkpoint takes them with it,
so that after a crash they never lie behind the checkpoint.
"""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from service.domain.jobs import Claim, Progress, RunInfo
from service.domain.ports import CheckpointDraft, Command, MetricPoint
from service.store import blobs, checkpoints, metrics
from service.store.engine import Database, database_now
from service.store.leases import change_held, held_job
from service.store.tables import JobRow

WRITE_EVERY = timedelta(seconds=0.5)


class DatabaseRecorder:
    """Implements `domain.ports.Recorder`. No thread: reports write when it is time.

    Every method that writes raises LeaseLost once another worker holds the job. `trained_seconds`
    is what earlier attempts took.
    """

    def __init__(
        self,
        database: Database,
        claim: Claim,
        command: Callable[[], Command | None],
        *,
        trained_seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._lease = claim.lease
        self._command = command
        self._clock = clock
        self._written_at = self._began_at = clock()
        self._trained_before = trained_seconds
        self._points: list[MetricPoint] = []
        self._progress: Progress | None = None

    def started(self, run: RunInfo, preparation: bytes) -> None:
        """Note what was chosen, and what the task needs to predict."""
        sha256, _ = blobs.put(self._database, preparation)
        with self._database.begin() as session:
            before = held_job(session, self._lease).preparation_sha256
            values = {
                JobRow.run: run.model_dump(mode="json"),
                JobRow.preparation_sha256: sha256,
                JobRow.updated_at: database_now(session),
            }
            change_held(session, self._lease, values)
            blobs.unhold(session, [sha256])
            if before not in {None, sha256}:
                blobs.release(session, [str(before)])

    def metrics(self, points: Sequence[MetricPoint]) -> None:
        """Take points; write if it is time."""
        self._points.extend(points)
        self._write_if_due()

    def progress(self, progress: Progress) -> None:
        """Take how far the training came; write if it is time."""
        self._progress = progress
        self._write_if_due()

    def checkpoint(self, draft: CheckpointDraft) -> None:
        """Store the bytes, then in one short transaction all that refers to them."""
        weights_sha256, weights_bytes = blobs.put(self._database, draft.weights)
        state_sha256, state_bytes = blobs.put(self._database, draft.state)
        state = checkpoints.StoredState(
            kinds=draft.kinds,
            step=draft.step,
            epoch=draft.epoch,
            metrics=draft.metrics,
            weights_sha256=weights_sha256,
            weights_bytes=weights_bytes,
            state_blob_sha256=state_sha256,
            state_bytes=state_bytes,
        )
        with self._database.begin() as session:
            self._write(session)
            checkpoints.add(session, self._lease, state, now=database_now(session))
        self._written()
        if weights_bytes + state_bytes > blobs.SLICE_BYTES:
            blobs.sweep(self._database)  # of the checkpoints that were dropped

    def command(self) -> Command | None:
        """Say at once whether the training shall stop."""
        return self._command()

    def flush(self) -> None:
        """Write everything that was gathered."""
        if self._points or self._progress is not None:
            with self._database.begin() as session:
                self._write(session)
        self._written()

    def _write_if_due(self) -> None:
        if self._clock() - self._written_at >= WRITE_EVERY.total_seconds():
            self.flush()

    def _write(self, session: Session) -> None:
        metrics.add_points(session, self._lease, self._points)
        if self._progress is not None:
            now = database_now(session)
            trained = self._trained_before + self._clock() - self._began_at
            metrics.report_progress(
                session, self._lease, self._progress, trained_seconds=trained, now=now
            )

    def _written(self) -> None:
        self._points.clear()
        self._progress = None
        self._written_at = self._clock()
