"""Listeners that follow jobs by server-sent events, through every broken connection."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress

import httpx

AGAIN_SECONDS = 0.2
NO_CONTENT = 204
NOT_FOUND = 404


class Follower:
    """Follows one job to its end in a thread; `seqs` are the events it was sent, in order."""

    def __init__(self, url: str, job: str) -> None:
        self.job = job
        self.seqs: list[int] = []
        self.ended = False
        self._url = f"{url}/v1/jobs/{job}/events"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follows {job}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stop.set()

    def wait(self, seconds: float) -> None:
        """Wait for the end of the job's stream."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not (self.ended or self._stop.is_set()):
            with suppress(httpx.TransportError, ValueError):  # cut in the midst of a line, perhaps
                self._listen()
            self._stop.wait(AGAIN_SECONDS)

    def _listen(self) -> None:
        headers = {"Accept": "text/event-stream"}
        if self.seqs:
            headers["Last-Event-ID"] = str(self.seqs[-1])
        with httpx.stream("GET", self._url, headers=headers, timeout=60) as answer:
            if answer.status_code in {NO_CONTENT, NOT_FOUND}:
                self.ended = True
            if not answer.is_success:
                return
            for name, data in _events(answer.iter_lines()):
                if name == "end":
                    self.ended = True
                    return
                self.seqs.append(json.loads(data)["seq"])


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Give name and data of each whole event (WHATWG HTML, section 9.2.6)."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                yield fields.get("event", "message"), fields["data"]
            fields = {}
            continue
        name, _, value = line.partition(":")
        fields[name] = value.removeprefix(" ")
