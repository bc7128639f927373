"""The recorder: what it gathers is written, and adds up over attempts."""

from service.domain.jobs import Progress
from service.store.engine import Database
from service.store.leases import held_job
from service.store.recorder import DatabaseRecorder
from tests.builders import a_claim, a_queued_job


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
