"""Hearing a text while it is written: the frames of a stream, put together. No I/O."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
from pydantic import ValidationError

from service.client import answers
from service.client.call import Call, json_bytes, path_of, what_was_said
from service.client.errors import UnreadableError
from service.client.listening import Frames
from service.domain.generations import GeneratedToken, GenerateRequest, Generation


class Hearing:
    """What was heard of one text; `over` once the whole of it has come."""

    def __init__(self, model: str, request: GenerateRequest | Mapping[str, Any]) -> None:
        self.over = False
        self._model, self._request = model, request
        self._frames = Frames()

    def call(self) -> Call[None]:
        """Describe the request; it is not sent again, for a part of the text may have come."""
        return Call(
            method="POST",
            path=path_of("models", self._model, "generate"),
            read=answers.read_nothing,
            repeatable=False,
            content=json_bytes({**what_was_said(self._request), "stream": True}),
            headers={"Content-Type": "application/json", "Accept": "text/event-stream"},
        )

    def begin(self, response: httpx.Response) -> None:
        """Take the head of an answer; the body of anything but a stream must have been read."""
        answers.raise_for_problem(response)

    def hear(self, text: str) -> Iterator[GeneratedToken | Generation]:
        """Take a piece of text; yield what it completes. Raises UnreadableError."""
        for fields in self._frames.cut(text):
            if "data" not in fields:
                continue
            self.over = fields.get("event") == "end"
            kind = Generation if self.over else GeneratedToken
            try:
                yield kind.model_validate_json(fields["data"])
            except ValidationError as error:
                message = "What is sent is no text of a Trainyard service of this version."
                raise UnreadableError(message) from error

    def end(self) -> None:
        """Take note that no more comes. Raises UnreadableError where the end is missing."""
        if not self.over:
            message = "The connection broke while the text was written; ask again."
            raise UnreadableError(message)
