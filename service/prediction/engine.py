"""Answers predictions: name → weights (`finding`) → task.encode → model → task.decode.

What is asked for all the time is answered without SQL and without waiting for a thread of the
requests; a thread of its own runs the models (`batching`).
"""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple
from weakref import WeakSet

from anyio import CapacityLimiter, to_thread

from service.catalogue import Catalogue
from service.domain.generations import GenerateRequest, Generation
from service.domain.models import Servable
from service.domain.predictions import (
    Input,
    PredictionAt,
    PredictionsOverTime,
    PredictRequest,
    PredictResponse,
    Probabilities,
)
from service.domain.problems import (
    Busy,
    Invalid,
)
from service.domain.requests import SEED_MAX
from service.domain.scores import Score, ScoreResponse
from service.prediction import in_session
from service.prediction.abstaining import abstaining
from service.prediction.batching import Batcher, always
from service.prediction.evidence import Evidence
from service.prediction.finding import Finder, Found
from service.prediction.questions import as_input
from service.prediction.reading import BEGINNING
from service.prediction.scoring import score
from service.prediction.sessions import Held, Sessions, session_key
from service.prediction.showing import showing
from service.prediction.writing import CannotWrite, Tally, Writer, Written, turns
from service.store import histories
from service.store.deadline import has_begun, refuse_late
from service.store.engine import Database
from service.store.errors import BlobGone, ModelNotReady
from service.store.histories import Moment
from service.tasks.base import Encoded, Task, Writes

READING_THREADS = 4
MAX_READING = 32
"""Requests whose pictures or long texts may wait to be read; each holds its whole body."""

MAX_WRITING = 64
"""Texts that are written at the same time; each takes its turns on the one thread of the models."""


class _Place:
    """One of the places of texts: taken as long as somebody holds it, however that ends."""


class Writing(NamedTuple):
    """A text that is being written, and by what."""

    servable: Servable
    writer: Writer
    seed: int
    place: _Place
    held: Held | None = None

    def generation(self) -> Generation:
        """Tell the whole, when it has ended."""
        session = None if self.held is None else self.held.state
        return self.writer.generation(self.servable, seed=self.seed, session=session)


class Predictor:
    """Serves every model that a name stands for. Used on one event loop."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        *,
        memory_bytes: int,
        sessions: Sessions | None = None,
        processes: int = 1,
    ) -> None:
        """Serve alone, or as one of so many `processes` that share the machine."""
        self._database = database
        self.sessions = Sessions() if sessions is None else sessions
        self.tally = Tally()
        self._batcher = Batcher(processes)
        self._finder = Finder(database, catalogue, memory_bytes=memory_bytes, run=self._batcher.run)
        self._evidence = Evidence(database, catalogue, self._batcher.run)
        self._readers = CapacityLimiter(READING_THREADS)
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
        evidence: int | None = None,
        small: bool = False,
        wanted: Callable[[], bool] = always,
    ) -> PredictResponse:
        """Answer each input. Raises ModelNotFound, ModelNotReady, Busy, or Invalid for an input.

        Of what is not `wanted` any more when the model is free, nothing is computed. Probabilities
        are calibrated unless `raw`. Inputs that are `small` are read at once, others in a thread.
        """
        started = time.perf_counter()
        servable, loaded = await self._finder.find(reference)
        few = small and _are_few(loaded.task, inputs)
        encoded = loaded.task.encode(inputs) if few else await self._read(loaded.task, inputs)
        temperature = servable.temperature if probabilities == "calibrated" else None
        answer = await self._batcher.answer(
            loaded,
            encoded,
            top_k=top_k,
            special_tokens=special_tokens,
            temperature=temperature or 1.0,
            wanted=wanted,
        )
        predictions = answer.predictions
        if abstain_below is not None:
            predictions = abstaining(predictions, below=abstain_below)
        if show_input:
            show = partial(showing, predictions, loaded.task, encoded)
            predictions = await to_thread.run_sync(show, limiter=self._readers)
        told = PredictResponse(
            model=servable.model,
            version=servable.version,
            checkpoint=servable.checkpoint,
            task=servable.task,
            temperature=temperature,
            predictions=predictions,
            timings=answer.timings(started=started),
        )
        if evidence is None:
            return told
        return await self._evidence.beside(told, servable, loaded, encoded, count=evidence)

    async def predict_in_session(
        self,
        reference: str,
        asked: PredictRequest,
        *,
        owner: str | None,
        small: bool,
        wanted: Callable[[], bool] = always,
        heard: Callable[[], bool] = always,
    ) -> PredictResponse:
        """Answer behind what a session has read, and keep it. Raises as `predict` and `Sessions`.

        `owner` is the name of the caller's key.
        """
        started = time.perf_counter()
        place = self._take_place()
        found = await self._finder.find(reference)
        in_session.check(found, asked)
        task, inputs = found.loaded.task, asked.inputs
        encoded = task.encode(inputs) if small else await self._read(task, inputs)
        held = self._take_session(found, asked, owner)
        try:
            return await in_session.answer(
                found,
                encoded,
                asked,
                held,
                sessions=self.sessions,
                batcher=self._batcher,
                started=started,
                wanted=wanted,
                heard=heard,
            )
        finally:
            self.sessions.give_back(held)
            del place

    async def delete_session(self, reference: str, session: str, *, owner: str | None) -> None:
        """Forget a session. Raises ModelNotFound, SessionNotFound and SessionInUse."""
        found = await self._finder.find(reference)
        key = session_key(found.servable, owner, session)
        self.sessions.delete(key, now=time.monotonic())

    def _take_session(
        self, found: Found, asked: PredictRequest | GenerateRequest, owner: str | None
    ) -> Held:
        key = session_key(found.servable, owner, asked.session or "")
        return self.sessions.take(key, must_exist=asked.session_must_exist, now=time.monotonic())

    async def over_time(
        self,
        reference: str,
        question: str,
        *,
        top_k: int,
        limit: int,
        is_heard: Callable[[], Awaitable[bool]],
        wanted: Callable[[], bool] = always,
    ) -> PredictionsOverTime:
        """Ask all kept checkpoints the same, as long as somebody `is_heard`. Raises Busy, too.

        Raises ModelNotFound, HistoryDeleted, ModelNotReady. A checkpoint that a running job drops
        meanwhile is left out; of what is not `wanted` any more nothing is computed.
        """
        place = self._take_place()
        look = partial(self._moments, reference, limit=limit)
        job_id, moments = await to_thread.run_sync(look, limiter=self._finder.threads)
        if not moments:
            # Raises what there is to say, unless one has just come.
            await self._finder.find(reference)
            job_id, moments = await to_thread.run_sync(look, limiter=self._finder.threads)
        if not moments:
            raise ModelNotReady(job_id, "running")
        has_begun()
        answers: list[PredictionAt] = []
        for moment in moments:
            if not await is_heard():
                break
            load = partial(self._finder.load, moment.servable)
            try:
                loaded = await to_thread.run_sync(load, limiter=self._finder.threads)
            except BlobGone:
                continue
            encoded = await self._read_question(loaded.task, question)
            answer = await self._batcher.answer(
                loaded, encoded, top_k=top_k, special_tokens=False, wanted=wanted
            )
            answers.append(
                PredictionAt(
                    checkpoint=moment.checkpoint,
                    step=moment.step,
                    epoch=moment.epoch,
                    metrics={**moment.metrics},
                    prediction=answer.predictions[0],
                )
            )
        del place
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

    async def begin_to_write(
        self, reference: str, asked: GenerateRequest, *, owner: str | None = None
    ) -> Writing:
        """Read a prompt. Raises ModelNotFound, ModelNotReady, CannotWrite, Busy, as `Sessions`."""
        place = self._take_place()
        found = await self._find_writer(reference)
        servable, loaded = found
        encoded = await self._read(loaded.task, [asked.prompt])
        seed = secrets.randbelow(SEED_MAX + 1) if asked.seed is None else asked.seed
        # At last, for nothing can go wrong any more: who writes also gives it back.
        held = None if asked.session is None else self._take_session(found, asked, owner)
        before = BEGINNING if held is None else held.before
        writer = Writer(loaded, asked, encoded, seed=seed, before=before, tally=self.tally)
        return Writing(servable, writer, seed, place, held)

    async def write(self, writing: Writing) -> AsyncIterator[Written]:
        """Give what is written, turn by turn; who stops asking stops it. Raises NotFinite."""
        writer, held = writing.writer, writing.held
        try:
            async for written in turns(writer, self._batcher):
                yield written
            if held is not None:
                self.sessions.keep(held, writer.so_far(), now=time.monotonic())
        finally:
            if held is not None:
                self.sessions.give_back(held)

    def texts_at_work(self) -> int:
        """Count what holds a place: texts written, scored, asked in sessions or over time."""
        return len(self._places)

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
            has_begun()
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
        found = await self._finder.find(reference)
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

    async def alias_moved(self, model: str, alias: str) -> None:
        """Have ready what an alias stands for from now on; others are answered meanwhile."""
        await self._finder.warm_up([f"{model}@{alias}"])

    async def version_made(self, model: str) -> None:
        """Have a model's newest version ready, if somebody asks this process for the newest."""
        await self._finder.warm_up(self._finder.known([model, f"{model}@latest"]))

    def close(self) -> None:
        """End the thread of the models."""
        self._batcher.close()


def _are_few(task: Task, inputs: Sequence[Input]) -> bool:
    """Tell whether a small body stays little work: few bytes of pixels are stretched to many."""
    most: int | None = getattr(task, "most_at_once", None)
    return most is None or len(inputs) <= most
