"""The application without a server around it: for what needs no process of its own."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from service.api.app import create_app
from service.catalogue import Catalogue
from service.prediction.engine import Predictor
from service.settings import Settings
from service.store.engine import Database


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
