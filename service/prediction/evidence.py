"""The training examples nearest to an input, by what the last layer of the model reads.

For each loaded model there is an index of vectors, made when somebody asks for the first time, of
its dataset as it is stored: datasets never change. It is made in steps, so that others are answered
meanwhile, and is kept as long as memory allows.
"""

# pyright: reportUnknownMemberType=false
# torch leaves tolist untyped.

import asyncio
import time
from contextvars import Context
from functools import partial
from math import prod
from typing import Any, ClassVar, NamedTuple, cast

import torch
from anyio import CapacityLimiter, to_thread
from torch import Tensor

from service.catalogue import Catalogue
from service.datasets import registry
from service.domain.datasets import DatasetFacts, ImageFacts
from service.domain.evidence import EvidenceFrom, Neighbour
from service.domain.jobs import JobSpec
from service.domain.models import Servable
from service.domain.predictions import Prediction, PredictResponse
from service.domain.problems import Conflict, Unavailable
from service.prediction.batching import Loaded, OnModelThread
from service.prediction.cache import Cache, Sized
from service.prediction.first_run import run_once
from service.prediction.hidden import NoLastLayer, read_by_last_layer
from service.prediction.training_examples import Shown, TrainingExamples, gather, read_input
from service.store import datasets as dataset_store
from service.store.blobs import DatabaseBlobs
from service.store.engine import Database
from service.store.errors import BlobGone, DatasetNotFound, JobNotFound
from service.store.job_reads import get_job
from service.tasks.base import Encoded

MAX_EXAMPLES = 20_000
MAX_FILE_BYTES = 64 << 20
"""Larger texts and tables are not read for evidence: in memory they take ten times as much."""

MAX_PIXEL_BYTES = 512 << 20

INDEX_BYTES = 64 << 20
"""Of the vectors of one index, and as many of its pictures."""

KEPT_BYTES = 256 << 20
"""Of all indexes, with what they show. The datasets that they were made of are not kept."""

MAX_BEING_MADE = 4
"""Indexes whose turn has not come hold their models, however little memory these may take."""

WAIT_SECONDS = 30.0
STEP_SECONDS = 0.015
"""So long an index may hold the thread of the models before others have their turn."""

_MOST_AT_ONCE = 256


class EvidenceNotAvailable(Conflict):
    """The training examples of a model are not here, or nobody can tell which they were."""

    code = "evidence_not_available"
    title = "There is no evidence"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} Ask without evidence.")


class EvidenceNotReady(Unavailable):
    """The training examples are still being read."""

    code = "evidence_not_ready"
    title = "The evidence is not ready yet"
    retry_after_seconds: ClassVar[int] = 5

    def __init__(self) -> None:
        super().__init__("The training examples are still being read. Ask again in a moment.")


class _Index(NamedTuple):
    vectors: Tensor  # (searched, hidden)
    shown: Shown
    examples: int
    dataset: str


class _Key(NamedTuple):
    weights_sha256: str
    preparation_sha256: str
    job: str


class Evidence:
    """Finds the nearest training examples. Used on one event loop."""

    def __init__(self, database: Database, catalogue: Catalogue, run: OnModelThread) -> None:
        self._database = database
        self._catalogue = catalogue
        self._run = run
        self._kept = Cache[_Key, _Index](memory_bytes=KEPT_BYTES)
        self._being_made: dict[_Key, asyncio.Task[_Index]] = {}
        self._turn = asyncio.Semaphore()  # an index holds its dataset while it is made
        self._makers = CapacityLimiter(1)
        self._seekers = CapacityLimiter(1)

    async def beside(
        self,
        told: PredictResponse,
        servable: Servable,
        loaded: Loaded,
        encoded: Encoded,
        *,
        count: int,
    ) -> PredictResponse:
        """Put the nearest examples beside each answer. Raises EvidenceNotAvailable, …NotReady."""
        index = await self._index(servable, loaded)
        answers: list[Prediction] = []
        for number, prediction in enumerate(told.predictions):
            vector = await self._run(
                partial(read_input, loaded.task, loaded.model, encoded, number)
            )
            nearest = await to_thread.run_sync(
                partial(_nearest, index, vector, count), limiter=self._seekers
            )
            answers.append(prediction.model_copy(update={"evidence": nearest}))
        searched = EvidenceFrom(
            dataset=index.dataset,
            examples=index.examples,
            examples_searched=len(index.vectors),
        )
        return told.model_copy(update={"predictions": answers, "evidence": searched})

    async def _index(self, servable: Servable, loaded: Loaded) -> _Index:
        if servable.job is None:
            reason = (
                f"The job that made {servable.model!r} is not here: only it tells which examples "
                "the model was trained on."
            )
            raise EvidenceNotAvailable(reason)
        key = _Key(servable.weights_sha256, servable.preparation_sha256, servable.job)
        kept = self._kept.find(key)
        if kept is not None:
            return kept
        task = self._being_made.get(key)
        if task is None:
            if len(self._being_made) >= MAX_BEING_MADE:
                raise EvidenceNotReady
            making = self._make(key, servable, loaded)
            task = self._being_made[key] = asyncio.create_task(making, context=Context())
            task.add_done_callback(partial(self._made, key))
        done, _ = await asyncio.wait({task}, timeout=WAIT_SECONDS)
        if not done:
            raise EvidenceNotReady
        return task.result()

    def _made(self, key: _Key, task: asyncio.Task[_Index]) -> None:
        del self._being_made[key]
        if not task.cancelled():
            task.exception()  # told to those who wait; there may be none any more

    async def _make(self, key: _Key, servable: Servable, loaded: Loaded) -> _Index:
        """Read all chosen examples, one step after the other."""
        async with self._turn:
            try:
                width = await self._run(partial(_width, loaded))
                gathered = partial(self._gather, servable, loaded, key.job, width)
                found, dataset = await to_thread.run_sync(gathered, limiter=self._makers)
                vectors = await self._read(found, loaded)
            except NoLastLayer:
                reason = "The last layer of this model is not one whose inputs can be compared."
                raise EvidenceNotAvailable(reason) from None
            index = _Index(vectors, found.shown, found.examples, dataset)
            size = found.bytes + vectors.nbytes
            return self._kept.get(key, lambda: Sized(index, size))

    async def _read(self, found: TrainingExamples, loaded: Loaded) -> Tensor:
        vectors: list[Tensor] = []
        first, at_once = 0, 1
        while first < found.count:
            last = min(first + at_once, found.count)
            read, took = await self._run(partial(_timed, found, loaded, first, last))
            vectors.append(read)
            at_once = min(2 * at_once, _MOST_AT_ONCE) if took < STEP_SECONDS else at_once
            at_once = max(1, at_once // 2) if took > 2 * STEP_SECONDS else at_once
            first = last
        if not vectors:
            raise NoLastLayer
        return torch.cat(vectors)

    def _gather(
        self, servable: Servable, loaded: Loaded, job_id: str, width: int
    ) -> tuple[TrainingExamples, str]:
        """Read the dataset as the job did. Raises EvidenceNotAvailable and NoLastLayer."""
        try:
            with self._database.read() as session:
                spec = get_job(session, job_id).spec
                facts = dataset_store.get_facts_by_id(session, spec.dataset.id)
            refuse_large(facts)
            data = registry.load(facts, DatabaseBlobs(self._database))
        except JobNotFound:
            reason = f"The job that made {servable.model!r} was deleted."
            raise EvidenceNotAvailable(reason) from None
        except (DatasetNotFound, BlobGone):
            reason = f"The dataset {servable.dataset!r}, which the model learned, was deleted."
            raise EvidenceNotAvailable(reason) from None
        prepared = self._catalogue.prepare(spec, data)
        if prepared.task.shape != loaded.task.shape or prepared.task.names != loaded.task.names:
            reason = f"The model was trained on other examples than {spec.dataset.name!r} has."
            raise EvidenceNotAvailable(reason)
        most = min(MAX_EXAMPLES, INDEX_BYTES // (4 * width))
        if isinstance(facts.facts, ImageFacts):
            most = min(most, max(1, INDEX_BYTES // prod(_size(prepared))))
        found = gather(
            data, prepared, loaded.task, loaded.model, target=_target(spec, facts), most=most
        )
        return found, spec.dataset.name


def _nearest(index: _Index, vector: Tensor, count: int) -> list[Neighbour]:
    # Not by products of matrices: the distance of a thing to itself would not be 0.
    exactly = "donot_use_mm_for_euclid_dist"
    distances = torch.cdist(vector[None], index.vectors, compute_mode=exactly)[0]
    nearest = distances.sort(stable=True).indices[:count]
    places = cast("list[int]", nearest.tolist())
    return [
        index.shown(place).model_copy(update={"distance": round(distances[place].item(), 6)})
        for place in places
    ]


def _timed(found: TrainingExamples, loaded: Loaded, first: int, last: int) -> tuple[Tensor, float]:
    """Read some examples; tell the seconds that this took, without waiting for its turn."""
    began = time.perf_counter()
    return found.read(loaded.model, first, last), time.perf_counter() - began


def _width(loaded: Loaded) -> int:
    return read_by_last_layer(lambda: run_once(loaded)).shape[-1]


def refuse_large(facts: DatasetFacts) -> None:
    """Raise EvidenceNotAvailable for what would take too much memory to be read beside requests."""
    size, most = sum(file.bytes for file in facts.files), MAX_FILE_BYTES
    known = facts.facts
    if isinstance(known, ImageFacts):
        pixels = known.channels * known.height * known.width
        size = max(size, (known.examples + known.test_examples) * pixels)
        most = MAX_PIXEL_BYTES
    if size > most:
        reason = (
            f"The dataset {facts.name!r} has {size:,} bytes, more than the {most:,} that are "
            "looked through."
        )
        raise EvidenceNotAvailable(reason)


def _size(prepared: Any) -> tuple[int, int, int]:
    shape = prepared.task.shape
    return shape.channels, shape.height, shape.width


def _target(spec: JobSpec, facts: DatasetFacts) -> str | None:
    """Name the column that a model of rows tells."""
    named = spec.dataset.options.get("target")
    return named if isinstance(named, str) else getattr(facts.facts, "target", None)
