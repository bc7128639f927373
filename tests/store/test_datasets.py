"""Datasets: immutable under their name, kept while a job needs them."""

import pytest

from service.store import datasets, jobs, system
from service.store.engine import Database
from service.store.errors import (
    DatasetBuiltIn,
    DatasetInUse,
    DatasetNameTaken,
    DatasetNotFound,
    UnknownCursor,
)
from tests.builders import NOON, a_dataset, a_queued_job, a_trained_job


def test_a_dataset_is_read_back_as_it_was_stored(database: Database) -> None:
    dataset = a_dataset(database)
    with database.read() as session:
        facts = datasets.get_facts(session, "eating")
        assert datasets.get_dataset(session, "eating") == dataset
        assert datasets.get_facts_by_id(session, dataset.id) == facts
    assert (facts.id, facts.sha256, facts.facts) == (dataset.id, dataset.sha256, dataset.facts)
    assert facts.files == dataset.files


def test_the_same_bytes_again_are_the_same_dataset(database: Database) -> None:
    assert a_dataset(database) == a_dataset(database, now=NOON.replace(hour=13))


def test_other_bytes_under_the_name_are_refused(database: Database) -> None:
    a_dataset(database)
    with pytest.raises(DatasetNameTaken):
        a_dataset(database, content=b"something else")


def test_what_is_not_there_is_answered_with_what_is(database: Database) -> None:
    a_dataset(database)
    with database.read() as session, pytest.raises(DatasetNotFound, match="mean 'eating'"):
        datasets.get_dataset(session, "eatin")
    with database.begin() as session, pytest.raises(DatasetNotFound):
        datasets.delete_dataset(session, "eatin")


def test_a_dataset_in_use_stays_until_the_job_has_ended(database: Database) -> None:
    job = a_queued_job(database)
    with pytest.raises(DatasetInUse), database.begin() as session:
        datasets.delete_dataset(session, "eating")
    with database.begin() as session:
        jobs.apply_action(session, job.id, "cancel", now=NOON)
        datasets.delete_dataset(session, "eating")
        assert jobs.get_job(session, job.id).spec.dataset.name == "eating"


def test_what_is_built_in_stays(database: Database) -> None:
    a_dataset(database, built_in=True)
    with pytest.raises(DatasetBuiltIn), database.begin() as session:
        datasets.delete_dataset(session, "eating")


def test_datasets_are_listed_newest_first(database: Database) -> None:
    for name in ("a", "b", "c"):
        a_dataset(database, name=name)
    with database.read() as session:
        first = datasets.list_datasets(session, limit=2)
        rest = datasets.list_datasets(session, limit=2, after=first.last_id)
        with pytest.raises(UnknownCursor):
            datasets.list_datasets(session, after="ds_0")
    assert [dataset.name for dataset in [*first.data, *rest.data]] == ["c", "b", "a"]


def test_what_the_database_holds_is_counted(database: Database) -> None:
    with database.read() as session:
        empty = system.database_facts(session)
    a_trained_job(database, model="eating")
    with database.read() as session:
        facts = system.database_facts(session)

    assert {name: table.rows for name, table in empty.tables.items()} == dict.fromkeys(
        empty.tables, 0
    )
    rows = {name: table.rows for name, table in facts.tables.items()}
    assert rows == {
        "jobs": 1,
        "events": 5,
        "metrics": 0,
        "checkpoints": 2,
        "models": 1,
        "datasets": 1,
        "blobs": 4,
    }
    assert facts.tables["blobs"].bytes > facts.tables["checkpoints"].bytes > 0
    assert facts.tables["jobs"].bytes > 100
    assert facts.kind == database.dialect
    assert facts.bytes > 0
