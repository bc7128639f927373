"""IDX, the format of MNIST: labelled images, plain or gzip, checked when they come in.

Two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a
big-endian 32-bit number, then the values (Y. LeCun, "The MNIST database"). Images are (count,
height, width) or (count, height, width, channels). What is decompressed is bounded beforehand.
"""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from math import prod
from typing import BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from service.datasets.base import ImageData
from service.domain.datasets import IdxDatasetSpec, ImageFacts
from service.domain.problems import FieldError, Invalid, Problem, TooLarge, invalid_field

MAX_CHANNELS = 4
ROLES = ("images", "labels", "test_images", "test_labels")

_UNSIGNED_BYTE = 8
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20


class _Images(NamedTuple):
    examples: int
    height: int
    width: int
    channels: int


class _Labels(NamedTuple):
    """What the labels are, without holding them: there may be as many as a dataset has bytes."""

    counts: NDArray[np.int64]
    first: dict[int, int]
    """Label → the first example that has it."""


class _Opened(NamedTuple):
    """A file behind its header: `values` bytes should follow."""

    stream: BinaryIO
    dimensions: tuple[int, ...]
    values: int


def check(
    files: Mapping[str, BinaryIO], spec: IdxDatasetSpec, max_decoded_bytes: int
) -> ImageFacts:
    """Return the facts of the images. Raises Invalid for broken files, TooLarge for long ones."""
    _refuse_missing(files)
    budget = _Budget(max_decoded_bytes)
    train = _check_images("images", files, budget)
    labels = _check_labels("labels", files, budget, train.examples)
    test = _Images(0, *train[1:])
    test_labels = _Labels(np.zeros(256, dtype=np.int64), {})
    if "test_images" in files:
        test = _check_images("test_images", files, budget)
        test_labels = _check_labels("test_labels", files, budget, test.examples)
        if test[1:] != train[1:]:
            detail = f"are {_size(test)}, the images to learn from {_size(train)}; make them equal"
            raise invalid_field("/test_images", detail)
    classes = _classes(spec, labels, test_labels)
    if "test_images" not in files and labels.counts.max() < 2:
        detail = "is a dataset too small: no class has two examples, one to learn from and one to"
        raise invalid_field("/images", f"{detail} validate; send more, or test files")
    return ImageFacts(
        channels=train.channels,
        height=train.height,
        width=train.width,
        classes=classes,
        examples=train.examples,
        test_examples=test.examples,
        examples_per_class=_per_class(labels, len(classes)),
        test_examples_per_class=_per_class(test_labels, len(classes)) if test.examples else [],
    )


def load(files: Mapping[str, bytes], facts: ImageFacts) -> ImageData:
    """Read stored files that were checked before, all at once: each has one core to unpack on."""
    with ThreadPoolExecutor(len(files)) as pool:
        read = dict(zip(files, pool.map(_read_array, files.values()), strict=True))
    has_test = "test_images" in read
    return ImageData(
        facts=facts,
        images=_channels_first(read["images"]),
        labels=read["labels"].astype(np.int64),
        test_images=_channels_first(read["test_images"]) if has_test else None,
        test_labels=read["test_labels"].astype(np.int64) if has_test else None,
    )


def encode(values: NDArray[np.uint8]) -> bytes:
    """Write an array as a plain IDX file."""
    header = bytes((0, 0, _UNSIGNED_BYTE, values.ndim))
    dimensions = np.array(values.shape, dtype=">u4").tobytes()
    return header + dimensions + np.ascontiguousarray(values).tobytes()


class _Budget:
    """How many decoded bytes the files together may still have."""

    def __init__(self, allowed: int) -> None:
        self.left = allowed
        self._allowed = allowed

    def take(self, role: str, amount: int) -> None:
        """Take so many bytes, before they are read. Raises TooLarge."""
        if amount > self.left:
            detail = (
                f"the dataset decodes to more than {self._allowed:,} bytes; send fewer examples"
            )
            errors = [FieldError(pointer=f"/{role}", detail=detail)]
            raise TooLarge(f"With the file {role}, {detail}.", errors=errors)
        self.left -= amount


def _refuse_missing(files: Mapping[str, BinaryIO]) -> None:
    needed = set(ROLES[:2])
    if "test_images" in files or "test_labels" in files:
        needed = set(ROLES)
    missing = [role for role in ROLES if role in needed and role not in files]
    unknown = [role for role in files if role not in ROLES]
    errors = [
        *(FieldError(pointer=f"/{role}", detail="is missing; add this file") for role in missing),
        *(
            FieldError(pointer=f"/{role}", detail=f"is no part of IDX data: use {', '.join(ROLES)}")
            for role in unknown
        ),
    ]
    if errors:
        raise Invalid(
            f"The files do not fit: {errors[0].pointer} {errors[0].detail}.", errors=errors
        )


def _check_images(role: str, files: Mapping[str, BinaryIO], budget: _Budget) -> _Images:
    opened = _open(role, files[role], budget)
    if len(opened.dimensions) not in {3, 4}:
        detail = f"have {len(opened.dimensions)} dimensions; images have 3 or, with channels, 4"
        raise invalid_field(f"/{role}", detail)
    count, height, width, channels = (*opened.dimensions, 1)[:4]
    if count == 0:
        raise invalid_field(f"/{role}", "hold no example; send at least two")
    if height == 0 or width == 0 or not 1 <= channels <= MAX_CHANNELS:
        detail = f"are {height}×{width}×{channels}; send at least one pixel and 1 to 4 channels"
        raise invalid_field(f"/{role}", detail)
    for _ in _chunks(role, opened):
        pass  # it is all there
    return _Images(count, height, width, channels)


def _check_labels(
    role: str, files: Mapping[str, BinaryIO], budget: _Budget, images: int
) -> _Labels:
    opened = _open(role, files[role], budget)
    if len(opened.dimensions) != 1:
        detail = f"have {len(opened.dimensions)} dimensions; labels are one list"
        raise invalid_field(f"/{role}", detail)
    if opened.values != images:
        more = "more" if opened.values > images else "fewer"
        detail = (
            f"are {more} than the images ({opened.values:,} and {images:,}); send one per image"
        )
        raise invalid_field(f"/{role}", detail)
    counts, first, before = np.zeros(256, dtype=np.int64), dict[int, int](), 0
    for chunk in _chunks(role, opened):
        labels = np.frombuffer(chunk, dtype=np.uint8)
        counts += np.bincount(labels, minlength=256)
        for label in np.flatnonzero(counts).tolist():
            if label not in first:
                first[label] = before + chunk.index(label)
        before += len(chunk)
    return _Labels(counts, first)


def _per_class(labels: _Labels, classes: int) -> list[int]:
    counts = labels.counts[:classes].tolist()
    return counts + [0] * (classes - len(counts))  # labels are bytes, names may be more


def _classes(spec: IdxDatasetSpec, labels: _Labels, test_labels: _Labels) -> list[str]:
    """Name the classes, by their numbers if the client gave no names."""
    largest = max([*labels.first, *test_labels.first])
    if spec.classes is None:
        if largest == 0:
            raise invalid_field("/labels", "name one class only; send examples of at least two")
        return [str(label) for label in range(largest + 1)]
    named = len(spec.classes)
    for role, found in (("labels", labels), ("test_labels", test_labels)):
        beyond = [(at, label) for label, at in found.first.items() if label >= named]
        if beyond:
            at, label = min(beyond)
            detail = f"have class {label} at example {at}, but only {named} classes have names"
            raise invalid_field(f"/{role}", f"{detail} (0 to {named - 1}); name them all")
    if named < 2:
        raise invalid_field("/classes", "are fewer than two; a model chooses among several")
    if len(set(spec.classes)) < named:
        raise invalid_field("/classes", "have a name twice; give each class its own")
    return list(spec.classes)


def _open(role: str, content: BinaryIO, budget: _Budget) -> _Opened:
    """Read the header, and take what it declares out of the budget."""
    start = content.read(2)
    content.seek(-len(start), 1)
    stream = (
        cast("BinaryIO", gzip.GzipFile(fileobj=content, mode="rb"))
        if start == _GZIP_MAGIC
        else content
    )
    magic = _read(role, stream, 4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        detail = "begin with the wrong magic number: IDX files begin with 00 00 08"
        raise invalid_field(f"/{role}", f"{detail}; send an IDX file, plain or gzip")
    if magic[2] != _UNSIGNED_BYTE:
        detail = f"have values of type {magic[2]:#04x}; send unsigned bytes, type 0x08"
        raise invalid_field(f"/{role}", detail)
    header = _read(role, stream, 4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise _truncated(role)
    dimensions = tuple(np.frombuffer(header, dtype=">u4").tolist())
    values = prod(dimensions)
    budget.take(role, values)
    return _Opened(stream, dimensions, values)


def _chunks(role: str, opened: _Opened) -> Iterator[bytes]:
    """Read exactly what the header declares, piece by piece, and refuse more or less."""
    left = opened.values
    while left:
        chunk = _read(role, opened.stream, min(left, _CHUNK))
        if not chunk:
            raise _truncated(role)
        left -= len(chunk)
        yield chunk
    if _read(role, opened.stream, 1):
        detail = "hold more bytes than their header declares; the file is damaged, send it again"
        raise invalid_field(f"/{role}", detail)


def _read(role: str, stream: BinaryIO, size: int) -> bytes:
    try:
        return stream.read(size)
    except EOFError:
        raise _truncated(role) from None
    except (OSError, zlib.error):
        detail = "are damaged: gzip cannot decompress them; send the file again"
        raise invalid_field(f"/{role}", detail) from None


def _truncated(role: str) -> Problem:
    detail = "end before all values that the header declares; the file is cut, send it again"
    return invalid_field(f"/{role}", detail)


def _size(images: _Images) -> str:
    return f"{images.height}×{images.width}×{images.channels}"


def _read_array(content: bytes) -> NDArray[np.uint8]:
    if content[:2] == _GZIP_MAGIC:
        content = gzip.decompress(content)
    rank = content[3]
    shape = np.frombuffer(content, dtype=">u4", count=rank, offset=4).tolist()
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape)


def _channels_first(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (count, channels, height, width)."""
    array = array[:, None] if array.ndim == 3 else array.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(array)
