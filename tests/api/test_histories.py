"""Predictions over time: every kept checkpoint is asked, as long as somebody listens."""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest.mock import Mock

import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope

from service.api import histories
from service.api.app import create_app
from service.api.limits import IS_CLOSING
from service.catalogue import Catalogue
from service.domain.predictions import PredictionsOverTime
from service.prediction import engine
from service.prediction.batching import Answer, Batcher
from service.prediction.engine import Predictor
from service.settings import Settings
from service.store import deadline
from tests.api.workshop import Trained, Workshop, copy_of, trained_in

PATH = "/v1/models/cook/predictions-over-time"


class History:
    """A model of four kept checkpoints, and the application that answers about it."""

    def __init__(self, workshop: Workshop, predictor: Predictor, app: FastAPI) -> None:
        self.workshop = workshop
        self.predictor = predictor
        self.app = app
        self._left = asyncio.Event()

    def ask(self, extensions: Mapping[str, object] | None = None) -> tuple[int, bytes]:
        """Send the request as a client that may leave; return the status and the body."""
        return asyncio.run(self._ask(extensions or {}))

    def answer(self) -> PredictionsOverTime:
        """Send the request as a client that stays, and read the answer."""
        status, body = self.ask()
        assert status == 200, body
        return PredictionsOverTime.model_validate_json(body)

    def leave(self) -> None:
        """Go away, as the client that asks at this moment."""
        self._left.set()

    async def _ask(self, extensions: Mapping[str, object]) -> tuple[int, bytes]:
        requests: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
        sent: list[Message] = []
        self._left = asyncio.Event()

        async def receive() -> Message:
            if requests:
                return requests.pop()
            await self._left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(_scope(extensions), receive, send)
        return sent[0]["status"], b"".join(each.get("body", b"") for each in sent)


def _scope(extensions: Mapping[str, object]) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"input=I+like",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "extensions": extensions,
    }


@pytest.fixture(scope="module")
def cook(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, catalogue: Catalogue
) -> Trained:
    """A workshop with the model `cook`, for tests to copy."""
    file = shutil.copyfile(sqlite_template, tmp_path_factory.mktemp("cook") / "template.db")
    training = {"checkpoint": {"every_steps": 2, "keep_periodic": 4}}
    return trained_in(file, catalogue, model="cook", training=training)


@pytest.fixture
def history(cook: Trained, tmp_path: Path, catalogue: Catalogue) -> Iterator[History]:
    """Of the model `cook`."""
    with copy_of(cook, tmp_path / "cook.db", catalogue) as workshop:
        database = workshop.database
        predictor = Predictor(database, catalogue, memory_bytes=1)
        app = create_app(
            settings=Settings(), database=database, catalogue=catalogue, predictor=predictor
        )
        yield History(workshop, predictor, app)


def after_each_answer(monkeypatch: pytest.MonkeyPatch, then: Callable[[], object]) -> list[Answer]:
    """Do something after each answer of a model, and list these."""
    answers: list[Answer] = []
    ask = Batcher.answer

    async def answer(*asked: object, **options: object) -> Answer:
        answers.append(await ask(*asked, **options))  # pyright: ignore[reportArgumentType]
        then()
        return answers[-1]

    monkeypatch.setattr(Batcher, "answer", answer)
    return answers


def test_every_kept_checkpoint_is_asked_in_the_order_of_the_training(history: History) -> None:
    answered = history.answer()

    assert [each.step for each in answered.data] == [2, 4, 6, 8]
    for each in answered.data:
        question = {"inputs": ["I like"], "probabilities": "raw"}
        asked = history.workshop.post(f"/v1/models/{each.checkpoint}/predict", question).json()
        assert asked["predictions"] == [each.prediction.model_dump(mode="json")]


def test_who_leaves_ends_it(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = after_each_answer(monkeypatch, history.leave)
    history.ask()
    assert len(answers) == 1


def test_for_a_connection_that_closes_nothing_is_computed(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = after_each_answer(monkeypatch, bool)
    status, _ = history.ask({IS_CLOSING: lambda: True})
    assert (status, answers) == (503, [])


def test_it_takes_one_of_the_places_of_texts_and_gives_it_back(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    after_each_answer(monkeypatch, lambda: taken.append(history.predictor.texts_at_work()))
    monkeypatch.setattr(engine, "MAX_WRITING", 1)

    for _ in range(2):
        history.answer()

    assert taken == [1] * 8
    assert history.predictor.texts_at_work() == 0


def test_without_a_place_it_is_refused(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MAX_WRITING", 0)
    status, body = history.ask()
    assert status == 503
    assert b"service_busy" in body


def test_who_waits_too_long_for_its_beginning_is_refused(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "begin_to_wait", lambda: deadline.begin_within(-1))
    assert history.ask()[0] == 503


def test_what_has_begun_in_time_takes_as_long_as_it_takes(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(deadline, "time", Mock(monotonic=lambda: now[0]))
    after_each_answer(monkeypatch, lambda: now.append(now.pop() + 1000))

    assert len(history.answer().data) == 4
