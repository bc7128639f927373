"""Datasets: immutable under their name, kept while a job needs them."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.domain.datasets import Dataset, DatasetFile, NewDataset, TextFacts
from service.store import blobs, datasets, jobs, system
from service.store.engine import Database
from service.store.errors import (
    DatasetBuiltIn,
    DatasetInUse,
    DatasetNameTaken,
    DatasetNotFound,
    UnknownCursor,
)
from tests.builders import NOON, a_dataset, a_queued_job, a_trained_job

CONTENT = b"I like downloading\n"


def an_announced_dataset(
    database: Database, *, name: str = "far-away", content: bytes = CONTENT
) -> Dataset:
    """Store what is known of a dataset whose bytes are still to come."""
    sha256 = hashlib.sha256(content).hexdigest()
    new = NewDataset(
        name=name,
        sha256=sha256,
        options={},
        facts=TextFacts(
            sequences="lines", lines=1, words=3, distinct_words=3, vocabulary_sizes=[5, 2]
        ),
        files=[DatasetFile(role="file", sha256=sha256, bytes=len(content))],
        built_in=True,
    )
    with database.begin() as session:
        return datasets.announce_dataset(session, new, now=NOON)


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


def test_an_announced_dataset_is_known_before_its_bytes_are_there(database: Database) -> None:
    announced = an_announced_dataset(database)
    with database.read() as session:
        facts = datasets.get_facts(session, announced.name)
        missing = datasets.list_missing(session, announced.id)
        listed = datasets.list_datasets(session).data

    assert not announced.downloaded
    assert announced.bytes == len(CONTENT)
    assert missing == facts.files == announced.files
    assert listed == [announced]


def test_an_announced_dataset_is_there_once_its_bytes_are(database: Database) -> None:
    announced = an_announced_dataset(database)
    for _ in range(2):  # two workers downloaded it at once
        sha256, _ = blobs.put(database, CONTENT)
        with database.begin() as session:
            blobs.unhold(session, [sha256])

    with database.read() as session:
        assert datasets.get_dataset(session, announced.name).downloaded
        assert datasets.list_missing(session, announced.id) == []
    assert blobs.read(database, announced.files[0].sha256) == CONTENT


def test_the_bytes_of_an_announced_dataset_are_kept_and_expected_ones_too(
    database: Database,
) -> None:
    sha256, _ = blobs.put(database, CONTENT)
    with database.begin() as session:
        blobs.unhold(session, [sha256])
    announced = an_announced_dataset(database)
    other = an_announced_dataset(database, name="other", content=b"other bytes")

    assert blobs.collect(database) == 0
    assert announced.downloaded  # somebody had stored the same bytes before
    assert not other.downloaded


def test_announcing_again_changes_nothing(database: Database) -> None:
    announced = an_announced_dataset(database)

    assert an_announced_dataset(database) == announced
    with pytest.raises(DatasetNameTaken):
        an_announced_dataset(database, content=b"other bytes")
    assert blobs.collect(database) == 0


def test_many_announce_the_same_at_once(database: Database) -> None:
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(an_announced_dataset, database) for _ in range(16)]
        announced = [call.result() for call in calls]

    assert announced == announced[:1] * 16


def test_only_what_is_there_counts_as_bytes_of_the_database(database: Database) -> None:
    an_announced_dataset(database)
    with database.read() as session:
        tables = system.database_facts(session).tables

    assert (tables["datasets"].rows, tables["datasets"].bytes) == (1, 0)
    assert (tables["blobs"].rows, tables["blobs"].bytes) == (0, 0)


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
