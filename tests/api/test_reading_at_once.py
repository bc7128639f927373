"""What is read on the event loop, which must not stand, and what is read in a thread."""

import asyncio

import pytest
from pydantic import JsonValue

from service.catalogue import Catalogue
from service.domain.problems import Busy
from service.prediction.engine import Predictor
from service.store.deadline import begin_within
from service.store.engine import Database
from tests.api.workshop import Workshop

STRETCHED = {"name": "digits", "height": 64, "width": 64}
FEW, MANY = 256, 257  # times 64 × 64: a million, and more


@pytest.mark.parametrize(("dataset", "is_late"), [(STRETCHED, True), ("digits", False)])
def test_many_small_pictures_that_are_stretched_are_read_in_a_thread(
    sqlite_database: Database, catalogue: Catalogue, dataset: object, is_late: bool
) -> None:
    few_steps = {"max_steps": 1, "epochs": None}
    Workshop(sqlite_database, catalogue).a_trained_job(
        model="one", dataset=dataset, architecture="mlp", training=few_steps
    )

    async def ask(predictor: Predictor, count: int) -> bool:
        """Tell whether it is too late; who reads at once has nothing to wait for, and no doubt."""
        row: list[JsonValue] = [0] * 8
        picture: list[JsonValue] = [row] * 8
        try:
            await predictor.predict(
                "one", [picture] * count, top_k=1, special_tokens=False, small=True
            )
        except Busy:
            return True
        return False

    async def late() -> list[bool]:
        predictor = Predictor(sqlite_database, catalogue, memory_bytes=1 << 30)
        await ask(predictor, 1)
        begin_within(-1)
        answers = [await ask(predictor, count) for count in (FEW, MANY)]
        predictor.close()
        return answers

    assert asyncio.run(late()) == [False, is_late]
