"""Listening to a job's events: what a stream has said, where to go on, when to give up.

No I/O: whoever listens hands in the lines, and the time in seconds of any steady clock. The format
is that of server-sent events (WHATWG HTML, section 9.2.6).
"""

import httpx
from pydantic import ValidationError

from service.client import answers
from service.client.call import Call, path_of
from service.client.errors import TrainyardError, UnavailableError, UnreadableError
from service.domain.events import Event

PATIENCE = 10.0
AGAIN = 0.5
NO_CONTENT = 204


class Listening:
    """What was heard of a job so far."""

    def __init__(self, job_id: str, *, after: int, speed: float | None, patience: float) -> None:
        self.over = False
        self._job_id = job_id
        self._seq = after
        self._speed = speed
        self._patience = patience
        self._answered: float | None = None
        self._fields: dict[str, str] = {}

    def call(self) -> Call[None]:
        """Describe the request that goes on after what was heard."""
        again = {"Last-Event-ID": str(self._seq)} if self._seq else {}
        return Call(
            method="GET",
            path=path_of("jobs", self._job_id, "events"),
            read=answers.read_nothing,
            repeatable=True,
            query={"speed": None if self._speed is None else str(self._speed)},
            headers={"Accept": "text/event-stream", **again},
        )

    def is_open(self, response: httpx.Response, *, now: float) -> bool:
        """Take the head of an answer; tell whether lines follow. Raises for what is refused.

        The body of anything but a stream must have been read.
        """
        self._fields = {}
        try:
            answers.raise_for_problem(response)
        except UnavailableError as error:
            self.missed(error, now=now)
            return False
        self._answered = now
        self.over = response.status_code == NO_CONTENT
        return not self.over

    def hear(self, line: str, *, now: float) -> Event | None:
        """Take a line; return the event that it completes. Raises UnreadableError."""
        self._answered = now
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data" and "data" in self._fields:
                value = f"{self._fields['data']}\n{value}"
            self._fields[name] = value
            return None
        fields, self._fields = self._fields, {}
        self.over = fields.get("event") == "end"
        if self.over or "data" not in fields:
            return None
        try:
            event = Event.model_validate_json(fields["data"])
        except ValidationError as error:
            message = "What is sent are no events of a Trainyard service of this version."
            raise UnreadableError(message) from error
        self._seq = event.seq
        return event

    def missed(self, error: TrainyardError, *, now: float) -> None:
        """Take note that the stream broke. Raises `error` when nobody has answered for too long.

        A service that has never answered is not waited for.
        """
        if self._answered is None or now - self._answered > self._patience:
            raise error
