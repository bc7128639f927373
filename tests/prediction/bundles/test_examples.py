"""The example in a bundle: what it takes to make it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest
from torch import nn

from service.catalogue import Catalogue
from service.domain.components import Component
from service.domain.shapes import Shape
from service.prediction.bundles import contents
from service.prediction.bundles.contents import Bundle
from service.store.engine import Database
from tests.prediction.test_engine import a_trained_model


class Meeting(Catalogue):
    """The installed components; each model is built when another one is, or after a while."""

    barrier = Barrier(2, timeout=0.2)
    built = 0

    def build_model(self, architecture: Component, shape: Shape) -> nn.Module:
        with suppress(BrokenBarrierError):
            self.barrier.wait()
        self.built += 1
        return super().build_model(architecture, shape)


def example_of(database: Database, catalogue: Catalogue, bundle: Bundle) -> bytes:
    files = {file.name: file for file in contents.files(database, catalogue, bundle)}
    return b"".join(files["example.json"].pieces)


def test_an_example_is_made_one_time_however_many_ask_for_it(sqlite_database: Database) -> None:
    a_trained_model(sqlite_database)
    catalogue = Meeting.installed()
    bundle = contents.describe(sqlite_database, catalogue, "eating")
    before = catalogue.built

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(example_of, sqlite_database, catalogue, bundle) for _ in range(2)]
        first, second = (each.result() for each in asked)

    assert catalogue.built - before == 1
    assert first == second


def test_the_example_that_was_not_asked_for_the_longest_time_is_made_again(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.keeping.MAX_KEPT", 2)
    a_trained_model(sqlite_database)
    catalogue = Meeting.installed()
    first = contents.describe(sqlite_database, catalogue, "eating")
    second, third = (
        first._replace(small={**first.small, "README.md": text}) for text in (b"2", b"3")
    )

    made: list[int] = []
    for bundle in (first, second, first, third, first, second):
        before = catalogue.built
        example_of(sqlite_database, catalogue, bundle)
        made.append(catalogue.built - before)

    assert made == [1, 1, 0, 1, 0, 1]
