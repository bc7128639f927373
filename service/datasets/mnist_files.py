"""The four files of MNIST and of what takes its place: gzipped IDX, named alike everywhere."""

from collections.abc import Mapping

from service.datasets.base import DownloadFile
from service.domain.datasets import ImageFacts

NAMES: Mapping[str, str] = {
    "images": "train-images-idx3-ubyte.gz",
    "labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
"""Role → name."""


def downloads(known: Mapping[str, tuple[str, int]]) -> list[DownloadFile]:
    """List the files to download; `known` has the SHA-256 and the bytes of each role."""
    return [
        DownloadFile(role=role, name=name, sha256=known[role][0], bytes=known[role][1])
        for role, name in NAMES.items()
    ]


def facts(
    classes: list[str], examples_per_class: list[int], test_examples_per_class: list[int]
) -> ImageFacts:
    """Describe 60,000 training and 10,000 test images of 28×28 grey pixels."""
    return ImageFacts(
        channels=1,
        height=28,
        width=28,
        classes=classes,
        examples=60_000,
        test_examples=10_000,
        examples_per_class=examples_per_class,
        test_examples_per_class=test_examples_per_class,
    )
