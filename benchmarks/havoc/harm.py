"""Harm, at random and with a seed: what crashes, power cuts and operators do to processes."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from math import exp, log
from random import Random

from benchmarks.havoc.fleet import WORKERS, Fleet, signal_to
from benchmarks.postgresql import StoppablePostgresql

PAUSES = (0.3, 8.0)
"""Seconds between two harms, even in their logarithm: one hits what still starts again after the
last, another what has trained for a while."""
DOWN_FOR = (0.2, 3.0)


class Harm:
    """Does one harm after the other; what it stopped goes on later."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        seed: int,
        lease_seconds: float,
        postgresql: StoppablePostgresql | None,
    ) -> None:
        self.done: Counter[str] = Counter()
        self._fleet = fleet
        self._random = Random(seed)
        self._lease_seconds = lease_seconds
        self._postgresql = postgresql
        self._stopped: dict[int, float] = {}
        self._harms: dict[Callable[[], str | None], int] = {
            self._kill_trainer: 5,
            self._kill_worker: 3,
            self._kill_forkserver: 2,
            self._kill_api: 2,
            self._drain_worker: 2,
            self._drain_api: 1,
            self._freeze_worker: 2,
            self._freeze_trainer: 1,
            self._freeze_all_of_a_worker: 2,
        }
        if postgresql is not None:
            self._harms[self._restart_postgresql] = 1

    def go_on(self, seconds: float) -> None:
        """Do harm for so long, and have what ended started again."""
        until = time.monotonic() + seconds
        next_harm = time.monotonic()
        while time.monotonic() < until:
            self._fleet.tend()
            self._thaw(time.monotonic())
            if time.monotonic() >= next_harm:
                harms = list(self._harms)
                (harm,) = self._random.choices(harms, weights=list(self._harms.values()))
                done = harm()
                if done is not None:
                    self.done[done] += 1
                next_harm = time.monotonic() + exp(self._random.uniform(*map(log, PAUSES)))
            time.sleep(0.05)

    def end(self) -> None:
        """Let everything that was stopped go on."""
        self._thaw(float("inf"))
        self._fleet.wait_for_api()

    def _kill(self, pids: list[int], name: str) -> str | None:
        if not pids:
            return None
        return name if signal_to(self._random.choice(pids), signal.SIGKILL) else None

    def _kill_trainer(self) -> str | None:
        trainers = [pid for worker in WORKERS for pid in self._fleet.trainers(worker)]
        return self._kill(trainers, "child")

    def _kill_worker(self) -> str | None:
        return self._kill([self._fleet.main_pid(each) for each in WORKERS], "worker")

    def _kill_forkserver(self) -> str | None:
        servers = [self._fleet.forkserver(worker) for worker in WORKERS]
        return self._kill([each for each in servers if each is not None], "forkserver")

    def _kill_api(self) -> str | None:
        return self._kill([self._fleet.main_pid("api")], "api")

    def _drain_worker(self) -> str | None:
        worker = self._random.choice(WORKERS)
        return "drain" if signal_to(self._fleet.main_pid(worker), signal.SIGTERM) else None

    def _drain_api(self) -> str | None:
        return "drain_api" if signal_to(self._fleet.main_pid("api"), signal.SIGTERM) else None

    def _freeze_worker(self) -> str | None:
        return self._freeze([self._fleet.main_pid(self._random.choice(WORKERS))])

    def _freeze_trainer(self) -> str | None:
        trainers = [pid for worker in WORKERS for pid in self._fleet.trainers(worker)]
        return self._freeze([self._random.choice(trainers)] if trainers else [])

    def _freeze_all_of_a_worker(self) -> str | None:
        return self._freeze(self._fleet.pids(self._random.choice(WORKERS)))

    def _freeze(self, pids: list[int]) -> str | None:
        """Stop processes for about a lease: some come back in time, some find it lost."""
        wakes = time.monotonic() + self._lease_seconds * self._random.uniform(0.5, 3)
        stopped = [pid for pid in pids if signal_to(pid, signal.SIGSTOP)]
        self._stopped |= dict.fromkeys(stopped, wakes)
        return "sigstop" if stopped else None

    def _thaw(self, now: float) -> None:
        for pid in [pid for pid, wakes in self._stopped.items() if wakes <= now]:
            del self._stopped[pid]
            signal_to(pid, signal.SIGCONT)

    def _restart_postgresql(self) -> str:
        assert self._postgresql is not None
        mode = self._random.choice(["fast", "immediate"])
        self._postgresql.stop(mode)
        time.sleep(self._random.uniform(*DOWN_FOR))
        self._postgresql.start()
        return "postgresql"
