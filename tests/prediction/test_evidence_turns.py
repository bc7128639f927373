"""Indexes of evidence are made one after the other, and few wait for their turn."""

import asyncio
from functools import partial
from threading import Event
from typing import Any

import pytest

from service.catalogue import Catalogue
from service.prediction import evidence
from service.prediction.engine import Predictor
from service.prediction.evidence import Evidence, EvidenceNotReady
from service.store.engine import Database
from tests.api.workshop import Workshop


@pytest.fixture
def workshop(sqlite_database: Database) -> Workshop:
    return Workshop(sqlite_database, Catalogue.installed())


def test_one_index_is_made_after_the_other(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [workshop.a_trained_job(model=f"turn-{n}", training={"seed": n}) for n in (1, 2)]
    predictor = Predictor(workshop.database, Catalogue.installed(), memory_bytes=1 << 30)
    width, read = evidence._width, Evidence._read  # pyright: ignore[reportPrivateUsage]
    begun = list[str]()
    both = Event()

    def began(loaded: Any) -> int:
        begun.append("begun")
        if len(begun) == 2:
            both.set()
        return width(loaded)

    async def slowly(self: Evidence, *given: Any) -> Any:
        vectors = await read(self, *given)
        await asyncio.to_thread(both.wait, 0.1)  # models are asked in a thread, which sets it
        begun.append("read")
        return vectors

    monkeypatch.setattr(evidence, "_width", began)
    monkeypatch.setattr(Evidence, "_read", slowly)

    async def ask() -> list[Any]:
        asked = partial(predictor.predict, inputs=["we"], top_k=1, special_tokens=False, evidence=1)
        return await asyncio.gather(*(asked(each.id) for each in models))

    answers = asyncio.run(ask())

    assert all(answer.evidence for answer in answers)
    assert begun == ["begun", "read", "begun", "read"]


def test_where_too_many_indexes_are_being_made_another_is_not_begun(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [workshop.a_trained_job(model=f"many-{n}", training={"seed": n}) for n in (1, 2)]
    predictor = Predictor(workshop.database, Catalogue.installed(), memory_bytes=1 << 30)
    monkeypatch.setattr(evidence, "MAX_BEING_MADE", 1)
    read = Evidence._read  # pyright: ignore[reportPrivateUsage]
    begun, free = asyncio.Event(), asyncio.Event()

    async def held_up(self: Evidence, *given: Any) -> Any:
        begun.set()
        await free.wait()
        return await read(self, *given)

    monkeypatch.setattr(Evidence, "_read", held_up)

    async def ask() -> list[Any]:
        asked = partial(predictor.predict, inputs=["we"], top_k=1, special_tokens=False, evidence=1)
        first, again = (asyncio.create_task(asked(models[0].id)) for _ in range(2))
        await begun.wait()
        with pytest.raises(EvidenceNotReady):
            await asked(models[1].id)
        free.set()
        return [await first, await again, await asked(models[1].id)]

    assert all(answer.evidence for answer in asyncio.run(ask()))
