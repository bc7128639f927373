"""What clients do meanwhile: post, watch, pause, resume, cancel, retry and delete jobs."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import uuid4

import httpx

from benchmarks.havoc.followers import Follower
from benchmarks.havoc.recipes import RECIPES
from service.domain.jobs import ENDED

AT_ONCE = 6
"""Jobs in flight at a time: enough to keep two workers busy through every harm."""

TO_UNENDED = {"read": 6, "pause": 3, "resume": 6, "cancel": 1}
TO_ENDED = {"read": 4, "retry": 4, "delete": 1}
"""What is done to jobs, and how often."""

SHARE_OF_ENDED = 0.2
FOLLOWED = 3
"""Every third job is followed by its events."""

PAUSES = (0.05, 0.4)
LABEL = "chaos"
SERVER_ERROR = 500
UNAVAILABLE = 503


@dataclass
class Posted:
    """A job as the client knows it. `accepted` once an answer said so."""

    number: int
    recipe: str
    keyed: bool
    job: str | None = None
    deleted: bool = False
    status: str = "queued"

    @property
    def accepted(self) -> bool:
        """Whether the client was told that the job is kept."""
        return self.job is not None


@dataclass
class Ledger:
    """What was posted and answered."""

    posted: list[Posted] = field(default_factory=list[Posted])
    answers: Counter[str] = field(default_factory=Counter[str])
    unexpected: list[str] = field(default_factory=list[str])

    def alive(self) -> list[Posted]:
        """List the accepted jobs that were not deleted."""
        return [each for each in self.posted if each.accepted and not each.deleted]


class Traffic:
    """A client that goes on whatever happens. It counts what it is answered."""

    def __init__(self, url: str, seed: int, *, at_once: int = AT_ONCE) -> None:
        self.ledger = Ledger()
        self._random = Random(seed)
        self.followers: list[Follower] = []
        self._url = url
        self._at_once = at_once
        self._http = httpx.Client(base_url=url, timeout=60)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Post nothing more."""
        self._stop.set()
        self._thread.join()

    def close(self) -> None:
        """Close the connections."""
        for follower in self.followers:
            follower.stop()
        self._http.close()

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """Send once; None when the connection broke, which a killed API does."""
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            self.ledger.answers[type(error).__name__] += 1
            return None
        self.ledger.answers[str(answer.status_code)] += 1
        if answer.status_code >= SERVER_ERROR and not _says_come_again(answer):
            self.ledger.unexpected.append(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer

    def read(self, path: str) -> Any:
        """Read JSON, patiently."""
        while True:
            answer = self.ask("GET", path)
            if answer is not None and answer.status_code < SERVER_ERROR:
                return answer.json()
            time.sleep(0.2)

    def post(self, recipe: str, *, keyed: bool, priority: int = 0) -> Posted:
        """Post a job. With a key it is sent until it is answered; without, once."""
        posted = Posted(len(self.ledger.posted), recipe, keyed)
        self.ledger.posted.append(posted)
        metadata = {LABEL: str(posted.number)}
        body = {**RECIPES[recipe], "metadata": metadata, "priority": priority}
        headers = {"Idempotency-Key": uuid4().hex} if keyed else {}
        while True:
            answer = self.ask("POST", "/v1/jobs", json=body, headers=headers)
            if answer is not None and answer.is_success:
                posted.job = answer.json()["id"]
                if posted.number % FOLLOWED == 0:
                    self.followers.append(Follower(self._url, answer.json()["id"]))
            elif keyed and not self._stop.is_set():
                time.sleep(0.1)
                continue
            return posted

    def _run(self) -> None:
        while not self._stop.is_set():
            unended = [each for each in self.ledger.alive() if each.status not in ENDED]
            if len(unended) < self._at_once:
                recipe = self._random.choice(sorted(RECIPES))
                priority = self._random.choice([0, 0, 0, -5, 5])
                self.post(recipe, keyed=self._random.random() < 0.5, priority=priority)
            else:
                self._act()
            self._stop.wait(self._random.uniform(*PAUSES))

    def _act(self) -> None:
        """Do something to a job, which may have come to another status meanwhile."""
        alive = self.ledger.alive()
        ended = [each for each in alive if each.status in ENDED]
        look_back = bool(ended) and self._random.random() < SHARE_OF_ENDED
        unended = [each for each in alive if each.status not in ENDED]
        chosen = self._random.choice(ended if look_back else unended)
        actions = TO_ENDED if look_back else TO_UNENDED
        (action,) = self._random.choices(list(actions), weights=list(actions.values()))
        path = f"/v1/jobs/{chosen.job}"
        if action == "read":
            answer = self.ask("GET", path)
        elif action == "delete":
            answer = self.ask("DELETE", path)
            if answer is None or answer.is_success:
                # Without an answer it may have been deleted: nothing can be claimed about it.
                chosen.deleted = True
                return
        else:
            answer = self.ask("POST", f"{path}/{action}")
        _note_status(chosen, answer)


def _note_status(posted: Posted, answer: httpx.Response | None) -> None:
    if answer is None:
        return
    told: Mapping[str, Any] = answer.json()
    # In a problem `status` is a number; a refused action brings the job's own beside it.
    name = "status" if answer.is_success else "current_status"
    posted.status = told.get(name, posted.status)


def _says_come_again(answer: httpx.Response) -> bool:
    return answer.status_code == UNAVAILABLE and "retry-after" in answer.headers
