"""Images that a client sends: rows of pixels, base64 in JSON, or the bytes of a picture file."""

import base64
import binascii
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from service.datasets import pictures
from service.datasets.pictures import Size
from service.domain.predictions import Input
from service.domain.problems import FieldError, Invalid, invalid_field

_MAX_ERRORS = 100


def read_images(
    inputs: Sequence[Input], size: Size, noticed: Sequence[list[str]] | None = None
) -> NDArray[np.uint8]:
    """Return all images (input, channels, height, width). Raises Invalid naming each wrong one.

    What a client should know of how its picture was read goes to `noticed`, a list for each input.
    """
    budget = pictures.Budget()
    images: list[NDArray[np.uint8]] = []
    errors: list[FieldError] = []
    for number, value in enumerate(inputs):
        try:
            remarks = None if noticed is None else noticed[number]
            images.append(_read(value, size, f"/inputs/{number}", budget, remarks))
        except Invalid as invalid:
            errors.extend(invalid.errors)
        if len(errors) >= _MAX_ERRORS:
            break
    if errors:
        first = f"{errors[0].pointer} {errors[0].detail}"
        raise Invalid(f"The inputs cannot be read: {first}.", errors=errors[:_MAX_ERRORS])
    if not images:
        return np.zeros((0, size.channels, size.height, size.width), dtype=np.uint8)
    return images[0][np.newaxis].copy() if len(images) == 1 else np.stack(images)


def _read(
    value: Input, size: Size, pointer: str, budget: pictures.Budget, noticed: list[str] | None
) -> NDArray[np.uint8]:
    if isinstance(value, bytes):
        return _picture(value, size, pointer, budget, noticed)
    if isinstance(value, list):
        return _pixels(value, size, pointer)
    if isinstance(value, dict):
        if set(value) != {"b64"}:
            raise invalid_field(pointer, "has other fields than b64, the file in base64; send that")
        pointer = f"{pointer}/b64"
        return _picture(_decoded(value["b64"], pointer), size, pointer, budget, noticed)
    detail = f"is no image; send {_expected(size)}, or {{'b64': a picture file in base64}}"
    raise invalid_field(pointer, detail)


def _picture(
    content: bytes,
    size: Size,
    pointer: str,
    budget: pictures.Budget,
    noticed: list[str] | None,
) -> NDArray[np.uint8]:
    return pictures.read(
        content,
        channels=size.channels,
        height=size.height,
        width=size.width,
        pointer=pointer,
        budget=budget,
        noticed=noticed,
    )


def _decoded(value: JsonValue, pointer: str) -> bytes:
    if isinstance(value, str):
        # What browsers give, "data:image/png;base64,…", and what breaks lines, are meant well.
        text = value.partition(",")[2] if value.startswith("data:") else value
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            pass
    raise invalid_field(pointer, "is no base64; send the bytes of a picture file in base64")


def _pixels(rows: list[JsonValue], size: Size, pointer: str) -> NDArray[np.uint8]:
    """Read rows of pixels: at once when all is well, else one by one to find what is wrong."""
    pixels = _pixels_at_once(rows, size)
    if pixels is None:
        errors = list(_wrong_pixels(rows, _dimensions(size), pointer, size))
        first = f"{errors[0].pointer} {errors[0].detail}"
        raise Invalid(f"The pixels cannot be read: {first}.", errors=errors)
    values = pixels.reshape(size.height, size.width, size.channels)
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def _pixels_at_once(rows: list[JsonValue], size: Size) -> NDArray[np.uint8] | None:
    """Return the pixels, or None where anything is wrong."""
    pixels = _whole_numbers(rows, _dimensions(size))
    if pixels is not None:
        return pixels
    try:
        values = np.asarray(rows)
    except (ValueError, OverflowError):  # ragged, or nested too deeply
        return None
    if values.dtype.kind not in "iuf" or values.shape != _dimensions(size):
        return None
    # numpy reads true as 1; JSON's true is no number.
    flat: Any = rows
    for _ in range(values.ndim - 1):
        flat = chain.from_iterable(flat)
    if bool in set(map(type, flat)):
        return None
    with np.errstate(invalid="ignore"):  # NaN is no pixel, found by the comparison below
        pixels = values.clip(0, 255).astype(np.uint8)
    return pixels if bool((pixels == values).all()) else None


def _whole_numbers(rows: list[Any], dimensions: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """Read what pixels usually are, in a tenth of the time; None where it is anything else."""
    inner = rows
    try:
        for count in dimensions[1:]:
            if set(map(len, inner)) != {count}:
                return None
            inner = [*chain.from_iterable(inner)]
        if len(rows) != dimensions[0] or set(map(type, inner)) != {int}:
            return None
        return np.frombuffer(bytearray(inner), dtype=np.uint8).reshape(dimensions)
    except (TypeError, ValueError):  # a number has no length, and 256 is no byte
        return None


def _dimensions(size: Size) -> tuple[int, ...]:
    rows = (size.height, size.width)
    return rows if size.channels == 1 else (*rows, size.channels)


def _wrong_pixels(
    value: JsonValue, dimensions: tuple[int, ...], pointer: str, size: Size
) -> list[FieldError]:
    """Find the first wrong places below `pointer`, at most a hundred."""
    if not dimensions:
        return [] if _is_pixel(value) else [_not_a_pixel(pointer)]
    if not isinstance(value, list):
        detail = f"is no list; an image is {_expected(size)}"
        return [FieldError(pointer=pointer, detail=detail)]
    if len(value) != dimensions[0]:
        detail = f"has {len(value)} items instead of {dimensions[0]}; send {_expected(size)}"
        return [FieldError(pointer=pointer, detail=detail)]
    errors: list[FieldError] = []
    for index, item in enumerate(value):
        errors += _wrong_pixels(item, dimensions[1:], f"{pointer}/{index}", size)
        if len(errors) >= _MAX_ERRORS:
            break
    return errors[:_MAX_ERRORS]


def _is_pixel(value: JsonValue) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= 255 and value == int(value)


def _not_a_pixel(pointer: str) -> FieldError:
    detail = "is no pixel; send whole numbers from 0 (black) to 255, not fractions of 1"
    return FieldError(pointer=pointer, detail=detail)


def _expected(size: Size) -> str:
    rows = f"{size.height} rows of {size.width} pixels 0…255"
    return rows if size.channels == 1 else f"{rows} with {size.channels} channels each"
