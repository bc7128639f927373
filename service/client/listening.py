"""Listening to a job's events: what a stream has said, where to go on, when to give up.

No I/O: whoever listens hands in the text, and the time in seconds of any steady clock. The format
is that of server-sent events (WHATWG HTML, section 9.2.6).
"""

import re
from collections.abc import Iterator

import httpx
from pydantic import ValidationError

from service.client import answers
from service.client.call import Call, path_of
from service.client.errors import TrainyardError, UnavailableError, UnreadableError
from service.domain.events import Event

PATIENCE = 10.0
AGAIN = 0.5
HEARTBEAT_SECONDS = 15.0
"""So often the service says something at least."""

NO_CONTENT = 204
END_OF_LINE = re.compile(r"\r\n|\r|\n")


class Lines:
    """Cuts text that comes in pieces into lines.

    `str.splitlines`, and with it httpx, also cuts at U+2028, which may stand inside of JSON.
    """

    def __init__(self) -> None:
        self._begun = ""
        self._after_cr = False

    def cut(self, text: str) -> list[str]:
        """Take a piece; return the lines that end in it."""
        if self._after_cr:
            text = text.removeprefix("\n")
        self._after_cr = text.endswith("\r")
        *lines, self._begun = END_OF_LINE.split(self._begun + text)
        return lines


class Frames:
    """Puts the lines of a stream together to frames, each the fields of one event by their names.

    Comments are fields without a name.
    """

    def __init__(self) -> None:
        self._lines = Lines()
        self._fields: dict[str, str] = {}

    def cut(self, text: str) -> Iterator[dict[str, str]]:
        """Take a piece of text; yield the frames that end in it."""
        for line in self._lines.cut(text):
            if line:
                self._note(line)
            else:
                fields, self._fields = self._fields, {}
                yield fields

    def _note(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data" and "data" in self._fields:
            value = f"{self._fields['data']}\n{value}"
        self._fields[name] = value


class Listening:
    """What was heard of a job so far."""

    def __init__(self, job_id: str, *, after: int, speed: float | None, patience: float) -> None:
        self.over = False
        self._job_id = job_id
        self._seq = after
        self._speed = speed
        self._patience = patience
        self._was_there = False
        self._missed_since: float | None = None
        self._frames = Frames()

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
            wait_seconds=HEARTBEAT_SECONDS,
        )

    def is_open(self, response: httpx.Response, *, now: float) -> bool:
        """Take the head of an answer; tell whether text follows. Raises for what is refused.

        The body of anything but a stream must have been read.
        """
        self._frames = Frames()
        try:
            answers.raise_for_problem(response)
        except UnavailableError as error:
            self.missed(error, now=now)
            return False
        self._was_there, self._missed_since = True, None
        self.over = response.status_code == NO_CONTENT
        return not self.over

    def hear(self, text: str) -> Iterator[Event]:
        """Take a piece of text; yield the events that it completes. Raises UnreadableError."""
        for fields in self._frames.cut(text):
            if event := self._read(fields):
                self._seq = event.seq
                yield event
            if self.over:
                return

    def missed(self, error: TrainyardError, *, now: float) -> None:
        """Take note that the stream broke. Raises `error` when it is away for too long.

        A service that has never answered is not waited for. How long a stream was silent before it
        broke does not count: a connection may be lost without a word.
        """
        if self._missed_since is None:
            self._missed_since = now
        if not self._was_there or now - self._missed_since > self._patience:
            raise error

    def _read(self, fields: dict[str, str]) -> Event | None:
        """Return the event of a frame, if it is one of a job."""
        self.over = fields.get("event") == "end"
        if self.over or "data" not in fields:
            return None
        try:
            return Event.model_validate_json(fields["data"])
        except ValidationError as error:
            message = "What is sent are no events of a Trainyard service of this version."
            raise UnreadableError(message) from error
