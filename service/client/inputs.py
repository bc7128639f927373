"""Inputs of predictions: what Python has them as becomes what the service takes."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import JsonValue


@runtime_checkable
class Array(Protocol):
    """An array of pixels (numpy, torch): anything that becomes nested lists."""

    def tolist(self) -> Any:
        """Return the values as nested lists."""
        ...


PredictInput = str | bytes | Path | Array | Sequence[Any] | Mapping[str, Any]
"""A text, pixels, the bytes of an image file, or where one lies."""


def json_input(value: PredictInput) -> JsonValue:
    """Write an input as JSON: an image file as base64, arrays as nested lists."""
    if isinstance(value, bytes | Path):
        return {"b64": base64.b64encode(image_bytes(value)).decode("ascii")}
    if isinstance(value, Array):
        pixels: JsonValue = value.tolist()
        return pixels
    if isinstance(value, str):
        return value
    plain: Any = dict(value) if isinstance(value, Mapping) else list(value)
    return plain


def image_bytes(image: bytes | Path) -> bytes:
    """Return the bytes of an image file."""
    return image.read_bytes() if isinstance(image, Path) else image


def image_type(image: bytes) -> str:
    """Tell the content type of an image file by its first bytes; PNG if in doubt."""
    return "image/jpeg" if image.startswith(b"\xff\xd8\xff") else "image/png"
