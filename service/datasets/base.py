"""Data as numpy arrays and lines, ready for a task; read from the stored files of a dataset.

No torch here: the API checks uploads with the same code and starts quickly.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.domain.datasets import (
    AnyDatasetSpec,
    Facts,
    ImageFacts,
    LabelledTextFacts,
    TableFacts,
    TextFacts,
)


@dataclass(frozen=True, kw_only=True)
class TextData:
    """A text as its non-empty lines, in NFC.

    `test_lines` are those that validate, None where a part of the others does.
    """

    facts: TextFacts
    lines: list[str]
    test_lines: list[str] | None = None
    numbers: NDArray[np.int64] | None = None
    """The line of the file at which each of them begins, from 1 on; None: nobody has counted."""


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


@dataclass(frozen=True, kw_only=True)
class LabelledTextData:
    """Texts in NFC and the index of each one's class; `held_out` marks rows that must validate.

    `held_out` is None where the dataset does not say.
    """

    facts: LabelledTextFacts
    texts: list[str]
    labels: NDArray[np.int64]
    held_out: NDArray[np.bool_] | None
    numbers: NDArray[np.int64] | None = None
    """The line of the file at which each of them begins, from 1 on; None: nobody has counted."""


@dataclass(frozen=True, kw_only=True)
class TableData:
    """Rows by column: float64 with NaN where a number is missing, else text or None.

    Dates are text as RFC 3339 writes them. `held_out` is as for labelled texts.
    """

    facts: TableFacts
    columns: Mapping[str, NDArray[np.float64] | list[str | None]]
    held_out: NDArray[np.bool_] | None
    numbers: NDArray[np.int64] | None = None
    """The line of the file at which each of them begins, from 1 on; None: nobody has counted."""


Data = TextData | LabelledTextData | TableData | ImageData


@dataclass(frozen=True, kw_only=True)
class BuiltIn:
    """A dataset that is shipped with the service: a module in `builtin` has one as `BUILT_IN`."""

    spec: AnyDatasetSpec
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


@dataclass(frozen=True, kw_only=True)
class DownloadFile:
    """A file on a mirror, known beforehand by its SHA-256 in hex and its size."""

    role: str
    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Download:
    """A dataset that is not shipped: the first job that trains on it fetches its files.

    A module in `builtin` has one as `BUILT_IN`. Its facts are known beforehand: jobs are accepted
    and planned without its bytes. Each mirror is the URL of a folder that holds all files.
    """

    spec: AnyDatasetSpec
    facts: Facts
    mirrors: Sequence[str]
    files: Sequence[DownloadFile]

    @property
    def name(self) -> str:
        """What jobs call it."""
        return self.spec.name

    @property
    def decoded_bytes(self) -> int:
        """How much memory its examples take."""
        if not isinstance(self.facts, ImageFacts):
            return sum(file.bytes for file in self.files)
        pixels = self.facts.channels * self.facts.height * self.facts.width
        return (self.facts.examples + self.facts.test_examples) * (pixels + 1)
