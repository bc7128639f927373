"""The application without a server around it: for what needs no process of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from service.api.app import create_app
from service.api.built_ins import bring_in
from service.catalogue import Catalogue
from service.domain.jobs import Job
from service.prediction.engine import Predictor
from service.settings import Settings
from service.store.engine import Database
from tests.api.workshop import Trained, Workshop, copy_of, trained_in
from tests.sqlite_files import flush


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue.installed()


@pytest.fixture(scope="session")
def app(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The application on a database that nobody opens."""
    file: Path = tmp_path_factory.mktemp("api") / "unused.db"
    database = Database.open(f"sqlite:///{file}")
    predictor = Predictor(database, catalogue, memory_bytes=1)
    return create_app(
        settings=Settings(), database=database, catalogue=catalogue, predictor=predictor
    )


@pytest.fixture(scope="session")
def with_eating(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that has the dataset `eating`, which else the first request brings in."""
    file = tmp_path_factory.mktemp("eating") / "template.db"
    database = Database.open(f"sqlite:///{shutil.copyfile(sqlite_template, file)}")
    bring_in(database, "eating")
    database.dispose()
    flush(file)
    return file


@pytest.fixture(scope="session")
def trained(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, catalogue: Catalogue
) -> Trained:
    """A workshop that has trained the job that `a_trained_job` trains where nothing is given."""
    file = tmp_path_factory.mktemp("trained") / "template.db"
    return trained_in(shutil.copyfile(sqlite_template, file), catalogue)


@pytest.fixture
def quick(trained: Trained, tmp_path: Path, catalogue: Catalogue) -> Iterator[Workshop]:
    """A workshop of one's own that has trained `job`; for what does not depend on the database."""
    with copy_of(trained, tmp_path / "quick.db", catalogue) as workshop:
        yield workshop


@pytest.fixture
def job(trained: Trained) -> Job:
    """The job that `quick` has trained."""
    return trained.job
