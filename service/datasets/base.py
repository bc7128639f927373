"""Data as numpy arrays and lines, ready for a task; read from the stored files of a dataset.

No torch here: the API checks uploads with the same code and starts quickly.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.domain.datasets import IdxDatasetSpec, ImageFacts, TextDatasetSpec, TextFacts


@dataclass(frozen=True, kw_only=True)
class TextData:
    """A text as its non-empty lines, in NFC."""

    facts: TextFacts
    lines: list[str]


@dataclass(frozen=True, kw_only=True)
class ImageData:
    """Labelled images: uint8 (count, channels, height, width), labels int64 (count,).

    The test arrays are None where the dataset brings no test files.
    """

    facts: ImageFacts
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    test_images: NDArray[np.uint8] | None
    test_labels: NDArray[np.int64] | None


Data = TextData | ImageData


@dataclass(frozen=True, kw_only=True)
class BuiltIn:
    """A dataset that is shipped with the service: a module in `builtin` has one as `BUILT_IN`."""

    spec: TextDatasetSpec | IdxDatasetSpec
    files: Callable[[], Mapping[str, bytes]]

    @property
    def name(self) -> str:
        """What jobs call it."""
        return self.spec.name

    @property
    def source(self) -> str | None:
        """Where the data come from."""
        return self.spec.source

    @property
    def licence(self) -> str | None:
        """What allows us to ship them."""
        return self.spec.licence
