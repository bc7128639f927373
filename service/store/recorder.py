"""The recorder of a job's process: what training reports, written under the lease.

Metrics and progress are gathered and written about twice a second; a checkpoint takes them with it,
so that after a crash they never lie behind the checkpoint. While the database is away, training
waits: what was computed so far is kept, and written when it is back, if the lease still holds then.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from pydantic import JsonValue
from sqlalchemy.orm import Session

from service.domain.events import EventType
from service.domain.jobs import CheckpointKind, Claim, Progress, RunInfo
from service.domain.ports import CheckpointDraft, Command, MetricPoint
from service.store import blobs, checkpoints, events, metrics
from service.store.engine import Database, database_now
from service.store.errors import StorageFull
from service.store.ids import new_id, new_write_token
from service.store.leases import change_held, held_job
from service.store.patience import patiently
from service.store.tables import JobRow

WRITE_EVERY = timedelta(seconds=0.5)


class DatabaseRecorder:
    """Implements `domain.ports.Recorder`. Reports write when it is time, in their caller's thread.

    Every method that writes raises LeaseLost once another worker holds the job, and StorageFull
    when there is no room. `trained_seconds` is what earlier attempts took.
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
        self._write_token = new_write_token()
        self._points: list[MetricPoint] = []
        self._events: list[tuple[EventType, Mapping[str, JsonValue]]] = []
        self._progress: Progress | None = None
        self._beside = ThreadPoolExecutor(1)

    def started(self, run: RunInfo, preparation: bytes) -> None:
        """Note what was chosen, and what the task needs to predict, with the events so far."""
        patiently(lambda: self._start(run, preparation))
        self._written()

    def _start(self, run: RunInfo, preparation: bytes) -> None:
        sha256, _ = blobs.put(self._database, preparation)
        with self._database.begin() as session:
            job = held_job(session, self._lease)
            before, run_before = job.preparation_sha256, job.run
            values = {
                JobRow.run: run.model_dump(mode="json"),
                JobRow.preparation_sha256: sha256,
                JobRow.updated_at: database_now(session),
            }
            change_held(session, self._lease, values)
            blobs.unhold(session, [sha256])
            if before not in {None, sha256}:
                blobs.release(session, [str(before)])
            if run_before is not None and run_before.get("lr") == run.lr:
                self._forget("range_test")  # an attempt before this one has told the same
            self._write(session)

    def _forget(self, told: EventType) -> None:
        self._events = [event for event in self._events if event[0] != told]

    def metrics(self, points: Sequence[MetricPoint]) -> None:
        """Take points; write if it is time."""
        self._points.extend(points)
        self._write_if_due()

    def progress(self, progress: Progress) -> None:
        """Take how far the training came; write if it is time."""
        self._progress = progress
        self._write_if_due()

    def event(self, happened: EventType, data: Mapping[str, JsonValue]) -> None:
        """Take an event; it waits for the next write, so that none lies past its checkpoint."""
        self._events.append((happened, data))

    def checkpoint(self, draft: CheckpointDraft) -> None:
        """Store the bytes, then in one short transaction all that refers to them."""
        ids: dict[CheckpointKind, str] = {kind: new_id("ckpt") for kind in draft.kinds}
        size = patiently(lambda: self._store(draft, ids))
        self._written()
        if size > blobs.SLICE_BYTES:
            patiently(lambda: blobs.sweep(self._database))  # of the checkpoints that were dropped
            self._beside.submit(self._database.copy_log)  # should it fail, the next one does it

    def _store(self, draft: CheckpointDraft, ids: Mapping[CheckpointKind, str]) -> int:
        """Store a checkpoint, once even when it is tried twice; return its bytes."""
        weights_sha256, weights_bytes = blobs.write(self._database, draft.weights)
        try:
            state_sha256, state_bytes = blobs.write(self._database, draft.state)
        except StorageFull:  # the weights alone are of no use
            blobs.give_up(self._database, [weights_sha256])
            raise
        state = checkpoints.StoredState(
            ids=ids,
            step=draft.step,
            epoch=draft.epoch,
            metrics=draft.metrics,
            weights_sha256=weights_sha256,
            weights_bytes=weights_bytes,
            state_blob_sha256=state_sha256,
            state_bytes=state_bytes,
            scheduled=draft.scheduled,
        )
        with self._database.begin() as session:
            self._write(session)
            checkpoints.add(session, self._lease, state, now=database_now(session))
        return weights_bytes + state_bytes

    def command(self) -> Command | None:
        """Say at once whether the training shall stop."""
        return self._command()

    def flush(self) -> None:
        """Write everything that was gathered."""
        if self._points or self._events or self._progress is not None:
            patiently(self._write_alone)
        self._written()

    def _write_alone(self) -> None:
        with self._database.begin() as session:
            self._write(session)

    def _write_if_due(self) -> None:
        if self._clock() - self._written_at >= WRITE_EVERY.total_seconds():
            self.flush()

    def _write(self, session: Session) -> None:
        """Write what was gathered, once: a commit whose answer was lost may have happened."""
        job = held_job(session, self._lease)
        if job.last_write == self._write_token:
            return
        change_held(session, self._lease, {JobRow.last_write: self._write_token})
        for happened, data in self._events:
            events.append(session, job.id, happened, data=data, now=database_now(session))
        metrics.add_points(session, self._lease, self._points)
        if self._progress is not None:
            now = database_now(session)
            trained = self._trained_before + self._clock() - self._began_at
            metrics.report_progress(
                session, self._lease, self._progress, trained_seconds=trained, now=now
            )

    def _written(self) -> None:
        self._write_token = new_write_token()
        self._points.clear()
        self._events.clear()
        self._progress = None
        self._written_at = self._clock()
