"""A model's history: its job's kept checkpoints, one a step, from the first to the last."""

import pytest

from service.store import histories, jobs
from service.store.engine import Database
from service.store.errors import HistoryDeleted, ModelNotFound
from tests.builders import NOON, a_claim, a_draft, a_queued_job, a_recorder, a_trained_job


def steps(database: Database, reference: str, *, limit: int = 100) -> list[int]:
    with database.read() as session:
        _, found = histories.moments(session, reference, limit=limit)
        return [each.step for each in found]


def a_job_that_kept(database: Database, count: int) -> str:
    """A running job with so many periodic checkpoints; the last is also the best and latest."""
    job = a_queued_job(database, model="eating")
    recorder = a_recorder(database, a_claim(database))
    for step in range(1, count):
        recorder.checkpoint(a_draft(kinds=("periodic",), step=step))
    recorder.checkpoint(a_draft(kinds=("periodic", "best", "latest"), step=count))
    return job.id


def test_every_step_is_there_once_in_the_order_of_the_training(database: Database) -> None:
    job = a_job_that_kept(database, 5)

    assert steps(database, job) == steps(database, f"{job}@best") == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("limit", "kept"), [(1, [9]), (2, [1, 9]), (3, [1, 5, 9]), (8, [1, 2, 3, 4, 6, 7, 8, 9])]
)
def test_of_many_some_are_chosen_the_first_and_the_last_among_them(
    database: Database, limit: int, kept: list[int]
) -> None:
    assert steps(database, a_job_that_kept(database, 9), limit=limit) == kept


def test_a_version_is_found_with_its_job(database: Database) -> None:
    job, result = a_trained_job(database, model="eating")

    for reference in ("eating", "eating@1", result.model_id, result.checkpoint, job.id):
        assert len(steps(database, reference)) == 1


def test_a_version_whose_job_was_deleted_has_no_history(database: Database) -> None:
    job, _ = a_trained_job(database, model="eating")
    with database.begin() as session:
        jobs.apply_action(session, job.id, "delete", now=NOON)

    with pytest.raises(HistoryDeleted):
        steps(database, "eating")


@pytest.mark.parametrize("reference", ["nobody", "eating@7", "job_0", "ckpt_0", "mdl_0"])
def test_what_is_not_there_has_none(database: Database, reference: str) -> None:
    a_trained_job(database, model="eating")

    with pytest.raises(ModelNotFound):
        steps(database, reference)
