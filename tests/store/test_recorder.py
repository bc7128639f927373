"""The recorder: what it gathers is written, and adds up over attempts."""

from service.domain.jobs import Progress
from service.store import events
from service.store.engine import Database
from service.store.leases import held_job
from service.store.recorder import DatabaseRecorder
from tests.builders import PREPARATION, a_claim, a_queued_job, a_run


def test_training_time_adds_up_over_attempts(database: Database) -> None:
    a_queued_job(database)
    claim = a_claim(database)
    time = [100.0]
    recorder = DatabaseRecorder(
        database, claim, lambda: None, trained_seconds=10.0, clock=lambda: time[0]
    )

    recorder.progress(Progress(step=1))
    time[0] += 5
    recorder.flush()

    with database.begin() as session:
        assert held_job(session, claim.lease).trained_seconds == 15.0


def test_a_range_test_that_finds_the_same_again_is_told_once(database: Database) -> None:
    job = a_queued_job(database)
    claim = a_claim(database)
    for lr in (0.1, 0.1, 0.2):  # three attempts that leave no checkpoint
        recorder = DatabaseRecorder(database, claim, lambda: None)
        recorder.event("started", {})
        recorder.event("range_test", {"lr": lr})
        recorder.started(a_run().model_copy(update={"lr": lr}), PREPARATION)

    with database.read() as session:
        told = events.list_events(session, job.id)
    assert [each.data["lr"] for each in told if each.type == "range_test"] == [0.1, 0.2]
    assert len([each for each in told if each.type == "started"]) == 3
