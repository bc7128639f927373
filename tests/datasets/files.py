"""Files as clients upload them: IDX with a chosen header, and arrays written as such."""

import gzip
from io import BytesIO
from typing import BinaryIO

import numpy as np

from service.datasets import idx
from service.domain.datasets import IdxDatasetSpec, TextDatasetSpec


def a_text_spec(**options: str) -> TextDatasetSpec:
    return TextDatasetSpec.model_validate({"name": "mine", "type": "text", **options})


def an_idx_spec(classes: list[str] | None = None) -> IdxDatasetSpec:
    return IdxDatasetSpec(name="mine", type="idx", classes=classes)


def images_file(*shape: int, compress: bool = False) -> bytes:
    """Write images of the shape (count, height, width[, channels]) with some pixels."""
    count = int(np.prod(shape))
    pixels = (np.arange(count) * 7 % 256).astype(np.uint8).reshape(shape)
    content = idx.encode(pixels)
    return gzip.compress(content) if compress else content


def labels_file(*labels: int, compress: bool = False) -> bytes:
    content = idx.encode(np.array(labels, dtype=np.uint8))
    return gzip.compress(content) if compress else content


def opened(**files: bytes) -> dict[str, BinaryIO]:
    return {role: BytesIO(content) for role, content in files.items()}
