"""Answers predictions: name → weights → task.encode → model → task.decode.

What is asked for all the time is answered without SQL and without waiting for a thread of the
requests: names are remembered for a moment (`names`), weights as long as memory allows (`cache`:
they never change under their SHA-256), and a thread of its own runs the models (`batching`).
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any, NamedTuple, cast
from weakref import WeakSet

import torch
from anyio import CapacityLimiter, to_thread
from safetensors.torch import load

from service.catalogue import Catalogue
from service.domain.generations import GenerateRequest, Generation
from service.domain.models import Servable
from service.domain.predictions import (
    Input,
    PredictionAt,
    PredictionsOverTime,
    PredictResponse,
    Probabilities,
    Timings,
)
from service.domain.problems import (
    Busy,
    Invalid,
    Problem,
    Unavailable,
)
from service.domain.requests import SEED_MAX
from service.domain.scores import Score, ScoreResponse
from service.prediction.abstaining import abstaining
from service.prediction.batching import Batcher, Loaded
from service.prediction.cache import Cache, Sized
from service.prediction.names import Names
from service.prediction.questions import as_input
from service.prediction.scoring import score
from service.prediction.showing import showing
from service.prediction.writing import CannotWrite, Writer, Written, turns
from service.store import blobs as blob_store
from service.store import histories
from service.store import models as model_store
from service.store.deadline import refuse_late
from service.store.engine import Database
from service.store.errors import BlobGone, DatabaseBusy, DatabaseUnavailable, ModelNotReady
from service.store.histories import Moment
from service.tasks.base import Encoded, Task, Writes

ATTEMPTS = 5
LOOKING_THREADS = 4
READING_THREADS = 4
MAX_READING = 32
"""Requests whose pictures or long texts may wait to be read; each holds its whole body."""

MAX_WRITING = 64
"""Texts that are written at the same time; each takes its turns on the one thread of the models."""

BUSY_SECONDS = 10.0
"""So old may what is known be, while the database is too busy to be asked."""


class _Key(NamedTuple):
    weights_sha256: str
    preparation_sha256: str
    task: str
    architecture: str


class Found(NamedTuple):
    """What a name stands for, ready to be asked."""

    servable: Servable
    loaded: Loaded


class _Place:
    """One of the places of texts: taken as long as somebody holds it, however that ends."""


class Writing(NamedTuple):
    """A text that is being written, and by what."""

    servable: Servable
    writer: Writer
    seed: int
    place: _Place

    def generation(self) -> Generation:
        """Tell the whole, when it has ended."""
        return self.writer.generation(self.servable, seed=self.seed)


class Predictor:
    """Serves every model that a name stands for. Used on one event loop."""

    def __init__(self, database: Database, catalogue: Catalogue, *, memory_bytes: int) -> None:
        self._database = database
        self._catalogue = catalogue
        self._cache = Cache[_Key, Loaded](memory_bytes=memory_bytes)
        self._names = Names()
        self._batcher = Batcher()
        self._lookers = CapacityLimiter(LOOKING_THREADS)
        self._readers = CapacityLimiter(READING_THREADS)
        self._looks: set[asyncio.Task[None]] = set()
        self._places = WeakSet[_Place]()

    async def predict(
        self,
        reference: str,
        inputs: Sequence[Input],
        *,
        top_k: int,
        special_tokens: bool,
        probabilities: Probabilities = "calibrated",
        abstain_below: float | None = None,
        show_input: bool = False,
        small: bool = False,
    ) -> PredictResponse:
        """Answer each input. Raises ModelNotFound, ModelNotReady, Busy, or Invalid for an input.

        Probabilities are calibrated where the version knows its temperature, unless `raw`. Inputs
        that are `small` are read at once; others in a thread, for the loop must not stand.
        """
        started = time.perf_counter()
        servable, loaded = self._remembered(reference) or await self._look(reference)
        encoded = loaded.task.encode(inputs) if small else await self._read(loaded.task, inputs)
        temperature = servable.temperature if probabilities == "calibrated" else None
        answer = await self._batcher.answer(
            loaded,
            encoded,
            top_k=top_k,
            special_tokens=special_tokens,
            temperature=temperature or 1.0,
        )
        predictions = answer.predictions
        if abstain_below is not None:
            predictions = abstaining(predictions, below=abstain_below)
        if show_input:
            show = partial(showing, predictions, loaded.task, encoded)
            predictions = await to_thread.run_sync(show, limiter=self._readers)
        return PredictResponse(
            model=servable.model,
            version=servable.version,
            checkpoint=servable.checkpoint,
            task=servable.task,
            temperature=temperature,
            predictions=predictions,
            timings=Timings(
                queue_ms=_milliseconds(answer.began - started),
                model_ms=_milliseconds(answer.ended - answer.began),
                total_ms=_milliseconds(time.perf_counter() - started),
                batch_size=answer.batch_size,
            ),
        )

    async def over_time(
        self, reference: str, question: str, *, top_k: int, limit: int
    ) -> PredictionsOverTime:
        """Ask all kept checkpoints the same. Raises ModelNotFound, HistoryDeleted, ModelNotReady.

        A checkpoint that a running job drops meanwhile is left out.
        """
        job_id, moments = await to_thread.run_sync(
            partial(self._moments, reference, limit=limit), limiter=self._lookers
        )
        if not moments:
            await self._look(reference)  # raises what there is to say, unless one has just come
            job_id, moments = await to_thread.run_sync(
                partial(self._moments, reference, limit=limit), limiter=self._lookers
            )
        if not moments:
            raise ModelNotReady(job_id, "running")
        answers: list[PredictionAt] = []
        for moment in moments:
            load = partial(self._loaded, moment.servable)
            try:
                loaded = await to_thread.run_sync(load, limiter=self._lookers)
            except BlobGone:
                continue
            encoded = await self._read_question(loaded.task, question)
            answer = await self._batcher.answer(loaded, encoded, top_k=top_k, special_tokens=False)
            answers.append(
                PredictionAt(
                    checkpoint=moment.checkpoint,
                    step=moment.step,
                    epoch=moment.epoch,
                    metrics={**moment.metrics},
                    prediction=answer.predictions[0],
                )
            )
        first = moments[0].servable
        return PredictionsOverTime(model=first.model, job=job_id, task=first.task, data=answers)

    async def _read_question(self, task: Task, question: str) -> Encoded:
        """Read one input that came in an address."""
        try:
            return await self._read(task, [as_input(task, question)])
        except Invalid as wrong:
            errors = [
                each.model_copy(
                    update={"pointer": each.pointer.replace("/inputs/0", "/query/input")}
                )
                for each in wrong.errors
            ]
            raise Invalid(wrong.detail, errors=errors) from None

    def _moments(self, reference: str, *, limit: int) -> tuple[str, list[Moment]]:
        with self._database.read() as session:
            return histories.moments(session, reference, limit=limit)

    async def begin_to_write(self, reference: str, asked: GenerateRequest) -> Writing:
        """Read a prompt. Raises ModelNotFound, ModelNotReady, CannotWrite, and Busy."""
        place = self._take_place()
        servable, loaded = await self._find_writer(reference)
        encoded = await self._read(loaded.task, [asked.prompt])
        seed = secrets.randbelow(SEED_MAX + 1) if asked.seed is None else asked.seed
        return Writing(servable, Writer(loaded, asked, encoded, seed=seed), seed, place)

    async def write(self, writing: Writing) -> AsyncIterator[Written]:
        """Give what is written, turn by turn; who stops asking stops it. Raises NotFinite."""
        async for written in turns(writing.writer, self._batcher):
            yield written

    async def score(
        self, reference: str, texts: Sequence[str], *, is_heard: Callable[[], Awaitable[bool]]
    ) -> ScoreResponse:
        """Tell how probable texts are. Raises ModelNotFound, ModelNotReady, CannotWrite, Busy.

        Between two texts others have their turn, and it ends where nobody `is_heard` any more.
        """
        place = self._take_place()
        servable, loaded = await self._find_writer(reference)
        scores: list[Score] = []
        for text in texts:
            if not await is_heard():
                break
            encoded = await self._read(loaded.task, [text])
            scores.append(await self._batcher.run(partial(score, loaded, encoded)))
        del place
        return ScoreResponse(
            model=servable.model,
            version=servable.version,
            checkpoint=servable.checkpoint,
            scores=scores,
        )

    def _take_place(self) -> _Place:
        """Take one of the places of texts. Raises Busy."""
        if len(self._places) >= MAX_WRITING:
            raise Busy
        place = _Place()
        self._places.add(place)
        return place

    async def _find_writer(self, reference: str) -> Found:
        found = self._remembered(reference) or await self._look(reference)
        if not isinstance(found.loaded.task, Writes):
            raise CannotWrite(found.servable.model, found.servable.task)
        return found

    async def _read(self, task: Task, inputs: Sequence[Input]) -> Encoded:
        """Encode in a thread, when its turn comes. Raises Busy when too many wait for theirs."""
        if self._readers.statistics().tasks_waiting >= MAX_READING:
            raise Busy

        def encode() -> Encoded:
            refuse_late()
            return task.encode(inputs)

        return await to_thread.run_sync(encode, limiter=self._readers)

    def close(self) -> None:
        """End the thread of the models."""
        self._batcher.close()

    def _remembered(self, reference: str) -> Found | None:
        """Return a model whose name is known and whose weights are there, without waiting."""
        now = time.monotonic()
        servable = self._names.find(reference, now=now)
        if servable is None:
            return None
        loaded = self._cache.find(_key(servable))
        if loaded is None:
            return None
        if self._names.begin_look(reference, now=now):
            look = asyncio.create_task(self._look_again(reference))
            self._looks.add(look)  # the loop itself keeps no task alive
            look.add_done_callback(self._looks.discard)
        return Found(servable, loaded)

    async def _look_again(self, reference: str) -> None:
        """Look a name up beside the requests; what goes wrong, the next request will see."""
        try:
            with suppress(Problem):
                await self._look(reference)
        finally:
            self._names.end_look(reference)

    async def _look(self, reference: str) -> Found:
        """Resolve and load, in a thread; remember the name."""
        now = time.monotonic()
        try:
            found = await to_thread.run_sync(self.find, reference, limiter=self._lookers)
        except (DatabaseUnavailable, DatabaseBusy) as trouble:
            return self._last(reference, trouble)
        except Problem as problem:
            if not isinstance(problem, Unavailable):
                self._names.forget(reference)
            raise
        self._names.put(reference, found.servable, now=now)
        return found

    def _last(self, reference: str, trouble: Problem) -> Found:
        """Return what the name stood for last: while the database is away nothing changes.

        A busy one may change, so that holds for a moment only. Raises the trouble else.
        """
        now = time.monotonic()
        seen_after = now - BUSY_SECONDS if isinstance(trouble, DatabaseBusy) else -inf
        servable = self._names.stretch(reference, now=now, seen_after=seen_after)
        loaded = None if servable is None else self._cache.find(_key(servable))
        if servable is None or loaded is None:
            raise trouble
        return Found(servable, loaded)

    def find(self, reference: str) -> Found:
        """Resolve and load. A job that trains may replace its checkpoint in between: once more."""
        for _ in range(ATTEMPTS - 1):
            try:
                return self._find_once(reference)
            except BlobGone:
                continue
        return self._find_once(reference)

    def _find_once(self, reference: str) -> Found:
        with self._database.read() as session:
            servable = model_store.get_servable(session, reference)
        return Found(servable, self._loaded(servable))

    def _loaded(self, servable: Servable) -> Loaded:
        return self._cache.get(_key(servable), lambda: self._load(servable))

    def _load(self, servable: Servable) -> Sized[Loaded]:
        preparation = blob_store.read(self._database, servable.preparation_sha256)
        weights = blob_store.read(self._database, servable.weights_sha256)
        task = self._catalogue.restore(servable.task, preparation)
        model = self._catalogue.build_model(servable.architecture, task.shape)
        model.load_state_dict(load(weights))
        # Convolutions on the CPU like the channels last: 1.6 times as fast; other layers ignore it.
        # (torch's stubs do not know the argument.)
        model.eval().requires_grad_(requires_grad=False)
        cast("Any", model).to(memory_format=torch.channels_last)
        return Sized(Loaded(model, task), len(weights) + len(preparation))


def _key(servable: Servable) -> _Key:
    return _Key(
        servable.weights_sha256,
        servable.preparation_sha256,
        servable.task,
        servable.architecture.model_dump_json(),
    )


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 3)
