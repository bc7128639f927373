"""What a job begins with is its own once it is accepted, whatever becomes of the rest."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from service.store import beginnings, blobs, jobs, versions
from service.store.beginnings import FirstCheckpoint
from service.store.engine import Database
from service.store.errors import CheckpointNotFound
from tests.builders import NOON, a_queued_job, a_trained_job


def test_bytes_that_went_meanwhile_are_no_beginning(database: Database) -> None:
    parent, _ = a_trained_job(database)
    with database.read() as session:
        source = beginnings.get_fork_source(session, parent.id, None)
    with database.begin() as session:
        jobs.apply_action(session, parent.id, "delete", now=NOON)
    child = a_queued_job(database)

    first = FirstCheckpoint("latest", source.checkpoint, 10, 1)

    with pytest.raises(CheckpointNotFound), database.begin() as session:
        beginnings.begin_with(session, child.id, [first], now=NOON)


def test_what_a_job_begins_with_outlives_what_it_was_copied_from(database: Database) -> None:
    parent, _ = a_trained_job(database)
    child = a_queued_job(database)
    with database.begin() as session:
        source = beginnings.get_fork_source(session, parent.id, None)
        first = FirstCheckpoint("latest", source.checkpoint, 10, 1)
        beginnings.begin_with(session, child.id, [first], now=NOON)
    with database.begin() as session:
        jobs.apply_action(session, parent.id, "delete", now=NOON)

    assert blobs.read(database, source.checkpoint.state_blob_sha256) == b"state of step 10"


def test_the_best_of_a_moment_is_the_newest_before_it(database: Database) -> None:
    parent, result = a_trained_job(database)

    with database.read() as session:
        source = beginnings.get_fork_source(session, parent.id, None)

    assert source.best is not None
    assert (source.best.id, source.best_is_gone) == (result.checkpoint, False)


def test_a_promotion_and_the_deletion_of_its_job_do_not_wait_for_each_other(
    database: Database,
) -> None:
    def promote(checkpoint: str) -> None:
        with database.begin() as session:
            versions.promote(session, "lunch", checkpoint, parameters=1, now=NOON)

    def delete(job_id: str) -> None:
        with database.begin() as session:
            jobs.apply_action(session, job_id, "delete", now=NOON)

    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            job, result = a_trained_job(database)
            promoted = pool.submit(promote, result.checkpoint)
            deleted = pool.submit(delete, job.id)
            assert deleted.exception() is None
            assert type(promoted.exception()) in {type(None), CheckpointNotFound}
