"""Run one training job: bring in its data, build its parts, train, end it.

Jobs end in one transaction under the lease; if another worker has the job by then, nothing of this
attempt is written.
"""

from collections.abc import Mapping

import torch

from service.catalogue import Trainable
from service.datasets import registry
from service.domain.environments import needs, offers_threads
from service.domain.evaluations import Evaluation
from service.domain.findings import Found
from service.domain.jobs import JobStatus, RunInfo
from service.domain.ports import Command
from service.store import checkpoints as checkpoint_store
from service.store import claims as claim_store
from service.store import datasets as dataset_store
from service.store import events as event_store
from service.store import metrics as metric_store
from service.store import results as result_store
from service.store.blobs import DatabaseBlobs
from service.store.engine import database_now
from service.store.leases import held_job
from service.store.needs import require
from service.store.recorder import DatabaseRecorder
from service.training import device as devices
from service.training.failures import CannotBeExact, TrainingFailed
from service.training.loop import train
from service.training.start import NotExact, Saved, environment_before
from service.training.state import restore_weights
from service.training.validation import assess
from service.worker import downloads
from service.worker.runners import beginnings
from service.worker.runners.base import Run

RELEASED: Mapping[Command, JobStatus] = {
    "cancel": "cancelled",
    "pause": "paused",
    "drain": "queued",
}


def run(attempt: Run) -> None:
    """Train until the end or an order. Raises LeaseLost when another worker has the job."""
    claim, spec = attempt.claim, attempt.claim.spec
    source = DatabaseBlobs(attempt.database)
    with attempt.database.read() as session:
        facts = dataset_store.get_facts_by_id(session, spec.dataset.id)
    if (order := downloads.bring_in(attempt, facts)) is not None:
        _give_back(attempt, order)
        return
    with attempt.database.begin() as session:
        job = held_job(session, claim.lease)
        spent_seconds, run_before = job.trained_seconds, job.run
    # Initial weights are a function of the seed alone: LAPACK's bits depend on the threads.
    torch.set_num_threads(1)
    trainable = attempt.catalogue.build(spec, registry.load(facts, source))
    recorder = DatabaseRecorder(
        attempt.database, claim, attempt.command, trained_seconds=spent_seconds
    )
    resume = _resume(attempt, trainable, source, recorder)
    earlier = None if run_before is None else RunInfo.model_validate(run_before).environment
    before = environment_before(resume, earlier)
    threads = devices.choose_threads(
        trainable.model,
        attempt.threads,
        free=None if attempt.load is None else attempt.load.free_cores,
        before=before,
    )
    torch.set_num_threads(threads)
    try:
        outcome = train(
            trainable,
            spec,
            recorder,
            device=devices.choose_device(spec.training.device, before=before),
            resume=resume,
            earlier=earlier,
            found=_found(attempt),
            spent_seconds=spent_seconds,
        )
    except NotExact as reason:
        _leave_to_another(attempt, reason)
        return
    except TrainingFailed:
        recorder.flush()  # with the very number that ended it
        raise
    recorder.flush()
    if outcome.how != "finished":
        _give_back(attempt, outcome.how)
        return
    _succeed(attempt, trainable, source, outcome.reason)


def _found(attempt: Run) -> list[Found]:
    """Read what the doctor has said: no finding lies past the checkpoint that it came with."""
    with attempt.database.read() as session:
        told = event_store.list_events(
            session, attempt.claim.job_id, event_type="finding", limit=1000
        )
    return [Found.of(each.data) for each in told]


def _succeed(attempt: Run, trainable: Trainable, source: DatabaseBlobs, reason: str | None) -> None:
    evaluation = _assess(attempt, trainable, source)
    with attempt.database.begin() as session:
        claim_store.succeed(
            session,
            attempt.claim.lease,
            baseline=trainable.baseline,
            evaluation=evaluation,
            reason=reason,
            now=database_now(session),
        )


def _assess(attempt: Run, trainable: Trainable, source: DatabaseBlobs) -> Evaluation:
    """Tell what the best checkpoint is worth; whoever dies here finds it so again."""
    spec = attempt.claim.spec
    with attempt.database.read() as session:
        weights = result_store.best_weights(session, attempt.claim.job_id)
    restore_weights(trainable.model, source.read(weights))
    return assess(
        trainable.model,
        trainable.task,
        trainable.validation,
        batch_size=spec.training.batch_size,
        seed=spec.training.seed,
    )


def _give_back(attempt: Run, order: Command) -> None:
    with attempt.database.begin() as session:
        now = database_now(session)
        claim_store.release(session, attempt.claim.lease, status=RELEASED[order], now=now)


def _leave_to_another(attempt: Run, reason: NotExact) -> None:
    """Give the job back, to wait for a worker like the one that wrote its checkpoint.

    Raises CannotBeExact where this is one: a fork asks for what no machine gives.
    """
    needed = needs(reason.environment)
    if {*needed} <= {*devices.machine_offers(), *offers_threads(attempt.threads)}:
        raise CannotBeExact(str(reason))
    with attempt.database.begin() as session:
        require(session, attempt.claim.job_id, needed)
        claim_store.release(
            session,
            attempt.claim.lease,
            status="queued",
            reason=f"must go on exactly, but {reason}",
            now=database_now(session),
        )


def _resume(
    attempt: Run, trainable: Trainable, source: DatabaseBlobs, recorder: DatabaseRecorder
) -> Saved | None:
    """Return the checkpoint that came furthest, and forget all metrics that lie past it."""
    with attempt.database.begin() as session:
        point = checkpoint_store.newest_for_resume(session, attempt.claim.job_id)
        after = -1 if point is None else point.step
        metric_store.delete_after(session, attempt.claim.lease, after)
    if point is None:
        return None
    if beginnings.begins_here(attempt.claim.spec, point):
        return beginnings.begin(attempt, trainable, point, source, recorder)
    weights, state = point.weights_sha256, point.state_blob_sha256
    return Saved(point.checkpoint, source.read(weights), source.read(state))
