"""A name that moves: what it stood for answers until its successor is there and has run once."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from sqlalchemy.orm import Session
from torch import nn

from service.catalogue import Catalogue
from service.domain.components import Component
from service.domain.models import Servable
from service.domain.predictions import PredictResponse
from service.domain.shapes import Shape
from service.prediction.engine import Predictor
from service.store import models, registry
from service.store.engine import Database, database_now
from tests.prediction.test_engine import a_trained_model

DEADLINE_SECONDS = 60
ResultT = TypeVar("ResultT")


class Slow:
    """Models take as long to be built as a test wants; `runs` names the parts that have run."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.free = threading.Event()
        self.free.set()
        self.runs: list[str] = []


class SlowCatalogue(Catalogue):
    """The installed components, whose models wait to be built."""

    slow = Slow()

    def build_model(self, architecture: Component, shape: Shape) -> nn.Module:
        self.slow.begun.set()
        assert self.slow.free.wait(DEADLINE_SECONDS)
        model = super().build_model(architecture, shape)
        for part in model.modules():
            part.register_forward_pre_hook(self._note)
        return model

    def _note(self, part: nn.Module, inputs: object) -> None:
        del inputs
        self.slow.runs.append(type(part).__name__)


def a_slow_catalogue() -> SlowCatalogue:
    catalogue = SlowCatalogue.installed()
    catalogue.slow = Slow()
    return catalogue


async def ask(predictor: Predictor, reference: str = "eating") -> PredictResponse:
    return await predictor.predict(reference, ["I like"], top_k=1, special_tokens=False, small=True)


async def until(
    asked: Callable[[], Awaitable[ResultT]], wanted: Callable[[ResultT], bool]
) -> ResultT:
    """Ask again and again until the answer is the wanted one."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not wanted(answer := await asked()):
            await asyncio.sleep(0)
    return answer


def move(database: Database, version: int) -> None:
    with database.begin() as session:
        registry.set_alias(session, "eating", "best-one", version, now=database_now(session))


def two_versions(database: Database) -> None:
    """Train a model twice; the alias stands for the first."""
    for seed in (0, 1):
        a_trained_model(database, seed=seed, epochs=1)
    move(database, 1)


def test_the_old_version_answers_while_the_new_one_is_loaded(sqlite_database: Database) -> None:
    catalogue = a_slow_catalogue()
    predictor = Predictor(sqlite_database, catalogue, memory_bytes=1 << 20)
    a_trained_model(sqlite_database, epochs=1)

    async def main() -> None:
        assert (await ask(predictor)).version == 1
        catalogue.slow.free.clear()
        catalogue.slow.begun.clear()
        await asyncio.to_thread(a_trained_model, sqlite_database, seed=1, epochs=1)

        async def is_being_built() -> bool:
            assert (await ask(predictor)).version == 1
            return catalogue.slow.begun.is_set()

        await until(is_being_built, bool)
        assert {(await ask(predictor)).version for _ in range(20)} == {1}
        catalogue.slow.free.set()
        await until(lambda: ask(predictor), lambda answer: answer.version == 2)

    asyncio.run(main())


def test_a_name_asked_for_lately_is_loaded_again_before_anybody_asks(database: Database) -> None:
    catalogue = a_slow_catalogue()
    predictor = Predictor(database, catalogue, memory_bytes=1 << 20)
    a_trained_model(database, epochs=1)

    async def main() -> None:
        await ask(predictor)
        catalogue.slow.runs.clear()
        await asyncio.to_thread(a_trained_model, database, seed=1, epochs=1)

        await until(lambda: asyncio.sleep(0, catalogue.slow.runs), bool)
        catalogue.slow.free.clear()  # nothing is built any more

        await until(lambda: ask(predictor), lambda answer: answer.version == 2)

    asyncio.run(main())


def test_a_moved_alias_is_warm_when_the_move_is_answered(sqlite_database: Database) -> None:
    catalogue = a_slow_catalogue()
    predictor = Predictor(sqlite_database, catalogue, memory_bytes=1 << 20)
    two_versions(sqlite_database)

    async def main() -> None:
        assert (await ask(predictor, "eating@best-one")).version == 1
        catalogue.slow.runs.clear()
        move(sqlite_database, 2)
        await predictor.alias_moved("eating", "best-one")

        assert catalogue.slow.runs
        catalogue.slow.free.clear()  # nothing is built any more
        assert (await ask(predictor, "eating@best-one")).version == 2

    asyncio.run(main())


def test_who_asks_while_an_alias_moves_is_answered_and_never_waits(
    sqlite_database: Database,
) -> None:
    catalogue = a_slow_catalogue()
    predictor = Predictor(sqlite_database, catalogue, memory_bytes=1 << 20)
    two_versions(sqlite_database)

    async def main() -> None:
        await ask(predictor, "eating@best-one")
        catalogue.slow.free.clear()
        move(sqlite_database, 2)
        moving = asyncio.ensure_future(predictor.alias_moved("eating", "best-one"))
        assert {(await ask(predictor, "eating@best-one")).version for _ in range(20)} == {1}
        catalogue.slow.free.set()
        await moving
        assert (await ask(predictor, "eating@best-one")).version == 2

    asyncio.run(main())


def test_a_new_version_is_made_warm_for_those_who_ask_for_the_newest(
    sqlite_database: Database,
) -> None:
    catalogue = a_slow_catalogue()
    predictor = Predictor(sqlite_database, catalogue, memory_bytes=1 << 20)
    a_trained_model(sqlite_database, epochs=1)

    async def main() -> None:
        await predictor.version_made("eating")  # of which nobody asked this process
        assert not catalogue.slow.begun.is_set()
        await ask(predictor, "eating@latest")
        await asyncio.to_thread(a_trained_model, sqlite_database, seed=1, epochs=1)
        await predictor.version_made("eating")

        catalogue.slow.free.clear()  # nothing is built any more
        assert (await ask(predictor, "eating@latest")).version == 2

    asyncio.run(main())


def test_many_who_wait_for_a_slow_database_wait_for_one_look(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_trained_model(sqlite_database, epochs=1)
    look, seen, free = models.get_servable, [0], threading.Event()

    def slow(session: Session, reference: str) -> Servable:
        seen[0] += 1
        assert seen[0] == 1 or free.wait(DEADLINE_SECONDS)
        return look(session, reference)

    monkeypatch.setattr(models, "get_servable", slow)
    monkeypatch.setattr("service.prediction.names.VALID_SECONDS", -1.0)  # all are stale

    async def main() -> None:
        predictor = Predictor(sqlite_database, Catalogue.installed(), memory_bytes=1 << 20)
        await ask(predictor)
        await asyncio.gather(*[ask(predictor) for _ in range(50)])
        free.set()

    asyncio.run(main())

    assert seen[0] == 2
