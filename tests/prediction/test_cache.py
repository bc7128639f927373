from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from service.prediction.cache import Cache, Sized


def test_a_value_is_loaded_once_however_many_ask_at_once() -> None:
    cache = Cache[str, object](memory_bytes=100)
    everybody, loads = Barrier(8), list[str]()

    def load() -> Sized[object]:
        loads.append("model")
        return Sized(object(), 10)

    def ask(_: int) -> object:
        everybody.wait()
        return cache.get("model", load)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))

    assert len(loads) == 1
    assert all(answer is answers[0] for answer in answers)


def test_a_slow_load_does_not_hold_up_other_keys() -> None:
    cache = Cache[str, str](memory_bytes=100)
    may_end, has_begun = Event(), Event()

    def slow() -> Sized[str]:
        has_begun.set()
        may_end.wait(30)
        return Sized("slow", 1)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cache.get, "slow", slow)
        has_begun.wait(30)
        assert cache.get("quick", lambda: Sized("quick", 1)) == "quick"
        may_end.set()
        assert waiting.result(30) == "slow"


def test_the_least_recently_used_gives_way() -> None:
    cache = Cache[str, str](memory_bytes=20)
    loads: list[str] = []

    def get(key: str) -> None:
        def load() -> Sized[str]:
            loads.append(key)
            return Sized(key, 10)

        cache.get(key, load)

    for key in ("a", "b", "a", "c", "a", "b"):
        get(key)

    assert loads == ["a", "b", "c", "b"]
    assert cache.kept_bytes() == 20


def test_what_exceeds_the_budget_is_served_but_not_kept() -> None:
    cache = Cache[str, str](memory_bytes=20)
    cache.get("small", lambda: Sized("small", 10))

    assert cache.get("huge", lambda: Sized("huge", 21)) == "huge"

    assert cache.kept_bytes() == 10


def test_an_error_reaches_who_asked_and_the_next_one_tries_again() -> None:
    cache = Cache[str, str](memory_bytes=20)

    def fail() -> Sized[str]:
        message = "the bytes are gone"
        raise OSError(message)

    with pytest.raises(OSError, match="gone"):
        cache.get("a", fail)

    assert cache.get("a", lambda: Sized("a", 1)) == "a"
