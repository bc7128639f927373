"""From a name to a model in memory, ready to be asked.

What is asked for all the time costs no SQL and waits for no thread of the requests: names are
remembered for a moment (`names`), weights as long as memory allows (`cache`: they never change
under their SHA-256). When a name begins to stand for something else, what it stood for answers
until its successor is loaded and has run once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context
from functools import partial
from math import inf
from typing import Any, NamedTuple, TypeVar, cast

import torch
from anyio import CapacityLimiter, to_thread

from service.catalogue import Catalogue
from service.domain.models import Servable
from service.domain.problems import Problem, Unavailable
from service.prediction.batching import Loaded, OnModelThread
from service.prediction.cache import Cache, Sized
from service.prediction.first_run import run_once
from service.prediction.loading import network
from service.prediction.names import Names
from service.store import blobs as blob_store
from service.store import models as model_store
from service.store.engine import Database
from service.store.errors import DatabaseBusy, DatabaseUnavailable
from service.store.gone import again_when_gone
from service.tasks.prefixes import remember

LOOKING_THREADS = 4
BUSY_SECONDS = 10.0
"""So old may what is known be, while the database is too busy to be asked."""

KNOWN_SECONDS = 2.0
"""So lately seen must a name have been that what it stood for answers for its successor."""

PATIENCE_SECONDS = 0.25
"""So long waits who asks seldom for the successor, as if there were nobody else to answer."""

WATCH_SECONDS = 0.5
WARM_UP_SECONDS = 5.0

ResultT = TypeVar("ResultT")


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
    """Finds models by their names. Used on one event loop; `threads` are those that look.

    What was asked for lately is watched: its next version is loaded before it is asked.
    """

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        *,
        memory_bytes: int,
        run: OnModelThread,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._run = run
        self._cache = Cache[_Key, Loaded](memory_bytes=memory_bytes)
        self._names = Names()
        self._looks: set[asyncio.Task[Any]] = set()
        self._waited_for: dict[str, asyncio.Task[Found]] = {}
        self._watcher: asyncio.Task[None] | None = None
        self.threads = CapacityLimiter(LOOKING_THREADS)
        self._loader = CapacityLimiter(1)

    async def find(self, reference: str) -> Found:
        """Return what a name stands for. Raises ModelNotFound, ModelNotReady, and Busy."""
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch(), context=Context())
        return self._remembered(reference) or await self._look(reference)

    async def warm_up(self, references: Iterable[str]) -> None:
        """Load what names stand for now, and put it in place; those that nobody asks for, too.

        Others are answered meanwhile by what they stood for. It ends early if that takes long.
        """
        looks = [self._beside(reference) for reference in references]
        if looks:
            await asyncio.wait(looks, timeout=WARM_UP_SECONDS)

    def known(self, references: Iterable[str]) -> list[str]:
        """Return those of the names that somebody has asked for."""
        return [each for each in references if self._names.last(each, seen_after=-inf)]

    def _remembered(self, reference: str) -> Found | None:
        """Return a model whose name is known and whose weights are there, without waiting."""
        now = time.monotonic()
        servable = self._names.find(reference, now=now)
        if servable is None:
            return None
        loaded = self._cache.find(_key(servable))
        if loaded is None:
            return None
        self._look_again(reference, now)
        return Found(servable, loaded)

    async def _look(self, reference: str) -> Found:
        """Look a name up for a request, which waits; but not for long if another can answer it."""
        before = self._before(reference)
        if before is None:
            found = await self._seen(reference, self._load_now(reference))
            self._names.ask(reference, now=time.monotonic())
            return found
        # One look for all who wait: where looks take long, they would stand in line behind those
        # of requests that have been answered since.
        look = self._waited_for.get(reference)
        if look is None or look.done():
            look = self._waited_for[reference] = self._beside(reference)
            look.add_done_callback(lambda _: self._waited_for.pop(reference, None))
        done, _ = await asyncio.wait({look}, timeout=PATIENCE_SECONDS)
        return look.result() if done else before

    def _before(self, reference: str) -> Found | None:
        """Return what the name stood for a moment ago, if that is there."""
        recently = time.monotonic() - KNOWN_SECONDS
        servable = self._names.last(reference, seen_after=recently)
        loaded = None if servable is None else self._cache.find(_key(servable))
        return None if servable is None or loaded is None else Found(servable, loaded)

    async def _watch(self) -> None:
        """Look at the names that were asked for lately, until there are none."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = time.monotonic()
            names = self._names.lately(now=now)
            if not names:
                return
            for name in names:
                # What never changes needs no look, and a job may make weights all the time.
                if not name.startswith(("job_", "ckpt_", "mdl_")) and self._before(name):
                    self._look_again(name, now)

    def _look_again(self, reference: str, now: float) -> None:
        """Look a name up beside the requests, if it is time and nobody does already."""
        if self._names.begin_look(reference, now=now):
            look = self._beside(reference)
            look.add_done_callback(lambda _: self._names.end_look(reference))

    def _beside(self, reference: str) -> asyncio.Task[Found]:
        """Begin to look a name up; what goes wrong is told to who waits for it, if anybody does."""
        look = asyncio.create_task(
            self._seen(reference, self._replace(reference)), context=Context()
        )
        self._looks.add(look)  # the loop itself keeps no task alive
        look.add_done_callback(self._end)
        return look

    def _end(self, look: asyncio.Task[Found]) -> None:
        self._looks.discard(look)
        error = None if look.cancelled() else look.exception()
        if error is not None and not isinstance(error, Problem):
            look.get_loop().call_exception_handler(
                {"message": "A look at a name failed", "exception": error, "task": look}
            )

    async def _seen(self, reference: str, look: Awaitable[Found]) -> Found:
        """Wait for a look, and forget the name if it stands for nothing any more."""
        try:
            return await look
        except (DatabaseUnavailable, DatabaseBusy) as trouble:
            return self._last(reference, trouble)
        except Problem as problem:
            if not isinstance(problem, Unavailable):
                self._names.forget(reference)
            raise

    async def _load_now(self, reference: str) -> Found:
        """Resolve and load, in a thread; remember the name."""
        now, found = await to_thread.run_sync(_timed(self.resolve), reference, limiter=self.threads)
        self._names.put(reference, found.servable, now=now)
        return found

    async def _replace(self, reference: str) -> Found:
        """Resolve; what is new is loaded and run once, while the name stands for what it was."""
        now, servable = await to_thread.run_sync(
            _timed(self._resolve), reference, limiter=self.threads
        )
        loaded = self._cache.find(_key(servable))
        found = None if loaded is None else Found(servable, loaded)
        if found is None:
            with self._names.held(reference):
                found = await to_thread.run_sync(self.resolve, reference, limiter=self._loader)
                await self._run(partial(run_once, found.loaded))
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
        return again_when_gone(partial(self._find_once, reference))

    def _find_once(self, reference: str) -> Found:
        servable = self._resolve(reference)
        return Found(servable, self.load(servable))

    def _resolve(self, reference: str) -> Servable:
        with self._database.read() as session:
            return model_store.get_servable(session, reference)

    def load(self, servable: Servable) -> Loaded:
        """Load the weights, unless they are there. Blocks; raises BlobGone."""
        return self._cache.get(_key(servable), lambda: self._load(servable))

    def _load(self, servable: Servable) -> Sized[Loaded]:
        preparation = blob_store.read(self._database, servable.preparation_sha256)
        task = self._catalogue.restore(servable.task, preparation)
        model = network(self._database, self._catalogue, servable, task.shape)
        # Convolutions on the CPU like the channels last: 1.6 times as fast; other layers ignore it.
        # (torch's stubs do not know the argument.)
        cast("Any", model).to(memory_format=torch.channels_last)
        kept = remember(model)
        return Sized(Loaded(model, task), servable.weights_bytes + len(preparation) + kept)


def _timed(look: Callable[[str], ResultT]) -> Callable[[str], tuple[float, ResultT]]:
    """Let a look tell when it began: what it shows is as old, and not as its wait for a thread."""

    def timed(reference: str) -> tuple[float, ResultT]:
        began = time.monotonic()
        return began, look(reference)

    return timed


def _key(servable: Servable) -> _Key:
    return _Key(
        servable.weights_sha256,
        servable.preparation_sha256,
        servable.task,
        servable.architecture.model_dump_json(),
    )
