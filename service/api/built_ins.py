"""Built-in datasets come into the database when they are first asked for."""

from service.datasets import registry
from service.domain.datasets import DatasetFacts
from service.store import datasets as dataset_store
from service.store.blobs import DatabaseBlobs
from service.store.engine import Database, database_now


def bring_in(database: Database, name: str) -> None:
    """Store a built-in dataset unless it is there; other names are left alone.

    Of one that is downloaded only what is known beforehand: here nothing goes over the network.
    """
    shipped, download = registry.built_ins().get(name), registry.downloads().get(name)
    if shipped is None and download is None:
        return
    with database.read() as session:
        if dataset_store.exists(session, name):
            return
    if shipped is not None:
        new = registry.take_in_built_in(shipped, DatabaseBlobs(database))
        with database.begin() as session:
            dataset_store.add_dataset(session, new, now=database_now(session))
    elif download is not None:
        new = registry.announcement(download)
        with database.begin() as session:
            dataset_store.announce_dataset(session, new, now=database_now(session))


def bring_in_all(database: Database) -> None:
    """Store every built-in dataset that is not there yet."""
    for name in [*registry.built_ins(), *registry.downloads()]:
        bring_in(database, name)


def facts_of(database: Database, name: str) -> DatasetFacts:
    """Read what a job's dataset is like. Raises DatasetNotFound."""
    bring_in(database, name)
    with database.read() as session:
        return dataset_store.get_facts(session, name)
