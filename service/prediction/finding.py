"""From a name to a model in memory, ready to be asked.

What is asked for all the time costs no SQL and waits for no thread of the requests: names are
remembered for a moment (`names`), weights as long as memory allows (`cache`: they never change
under their SHA-256).
"""

import asyncio
import time
from contextlib import suppress
from math import inf
from typing import Any, NamedTuple, cast

import torch
from anyio import CapacityLimiter, to_thread
from safetensors.torch import load

from service.catalogue import Catalogue
from service.domain.models import Servable
from service.domain.problems import Problem, Unavailable
from service.prediction.batching import Loaded
from service.prediction.cache import Cache, Sized
from service.prediction.names import Names
from service.store import blobs as blob_store
from service.store import models as model_store
from service.store.engine import Database
from service.store.errors import BlobGone, DatabaseBusy, DatabaseUnavailable

ATTEMPTS = 5
LOOKING_THREADS = 4
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


class Finder:
    """Finds models by their names. Used on one event loop; `threads` are those that look."""

    def __init__(self, database: Database, catalogue: Catalogue, *, memory_bytes: int) -> None:
        self._database = database
        self._catalogue = catalogue
        self._cache = Cache[_Key, Loaded](memory_bytes=memory_bytes)
        self._names = Names()
        self._looks: set[asyncio.Task[None]] = set()
        self.threads = CapacityLimiter(LOOKING_THREADS)

    async def find(self, reference: str) -> Found:
        """Return what a name stands for. Raises ModelNotFound, ModelNotReady, and Busy."""
        return self._remembered(reference) or await self._look(reference)

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
            found = await to_thread.run_sync(self.resolve, reference, limiter=self.threads)
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

    def resolve(self, reference: str) -> Found:
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
        return Found(servable, self.load(servable))

    def load(self, servable: Servable) -> Loaded:
        """Load the weights, unless they are there. Blocks; raises BlobGone."""
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
