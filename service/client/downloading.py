"""Writing a downloaded model to a file: whole or not at all. The clients send, this writes."""

import re
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import unquote

import httpx

from service.client import answers
from service.client.call import Call, path_of

Format = Literal["zip", "onnx"]

_NAMED = re.compile(r"filename\*=UTF-8''([^;]+)")


class Download:
    """One model on its way into a file; a folder gets one under the name the service gives it."""

    def __init__(self, reference: str, to: Path | str, file_format: Format) -> None:
        self._reference = reference
        self._to = Path(to)
        self._format = file_format
        self._file: BinaryIO | None = None
        self._part = self._to

    def call(self) -> Call[None]:
        """Say what is asked."""
        return Call(
            method="GET",
            path=path_of("models", self._reference, "download"),
            read=answers.read_nothing,
            repeatable=True,
            query={"format": None if self._format == "zip" else self._format},
            headers={"Accept": "application/zip, application/octet-stream, */*;q=0.1"},
        )

    def begin(self, response: httpx.Response) -> None:
        """Open a file beside the one that it will be. Raises the error of another answer."""
        answers.raise_for_problem(response)
        if self._to.is_dir():
            named = _NAMED.search(response.headers.get("Content-Disposition", ""))
            name = Path(unquote(named[1])).name if named else f"model.{self._format}"
            self._to /= name
        self._part = self._to.with_name(f"{self._to.name}.part")
        self._file = self._part.open("wb")

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        if self._file is not None:
            self._file.write(piece)

    def end(self) -> Path:
        """Give the file its name, and return where it is."""
        self.close()
        return self._part.replace(self._to)

    def close(self) -> None:
        """Close the file, however it ended."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def give_up(self) -> None:
        """Delete what came: a part of a model is none."""
        if self._file is not None:
            self.close()
            self._part.unlink(missing_ok=True)
