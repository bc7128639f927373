"""Values that are expensive to load: each is loaded once, and the least recently used give way.

Threads that ask for a value while another loads it wait for that one. What is larger than the whole
budget is still handed out, to all who wait for it, but not kept.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class Sized(NamedTuple, Generic[ValueT]):
    """A loaded value and the memory it takes."""

    value: ValueT
    bytes: int


class Cache(Generic[KeyT, ValueT]):
    """A thread-safe store of values, bounded by bytes."""

    def __init__(self, *, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._lock = Lock()
        self._kept: OrderedDict[KeyT, Sized[ValueT]] = OrderedDict()
        self._loading: dict[KeyT, Future[ValueT]] = {}

    def find(self, key: KeyT) -> ValueT | None:
        """Return the value of `key` if it is loaded; never waits for who loads."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
            return kept.value

    def get(self, key: KeyT, load: Callable[[], Sized[ValueT]]) -> ValueT:
        """Return the value of `key`, loading it if need be; an error of `load` reaches all."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept.value
            future = self._loading.get(key)
            mine = future is None
            if future is None:
                future = self._loading[key] = Future[ValueT]()
        if mine:
            self._load(key, load, future)
        return future.result()

    def kept_bytes(self) -> int:
        """Return how much memory the kept values take."""
        with self._lock:
            return sum(sized.bytes for sized in self._kept.values())

    def _load(self, key: KeyT, load: Callable[[], Sized[ValueT]], future: Future[ValueT]) -> None:
        try:
            sized = load()
        except BaseException as error:  # those who wait would wait for ever
            with self._lock:
                del self._loading[key]
            future.set_exception(error)
            raise
        with self._lock:
            del self._loading[key]
            self._keep(key, sized)
        future.set_result(sized.value)

    def _keep(self, key: KeyT, sized: Sized[ValueT]) -> None:
        if sized.bytes > self._memory_bytes:
            return
        self._kept[key] = sized
        total = sum(each.bytes for each in self._kept.values())
        while total > self._memory_bytes:
            _, evicted = self._kept.popitem(last=False)
            total -= evicted.bytes
