"""Some examples of a dataset, without decoding more of it than is looked at."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.datasets import image_folder, registry
from service.datasets.base import ImageData
from service.domain.datasets import DatasetFacts, ImageFacts
from service.domain.ports import BlobSource

MAX_PICTURE_BYTES = 128 << 20
"""So many bytes of pixels are looked at, however few pictures they are."""


class Pictures(NamedTuple):
    """Images uint8 (count, channels, height, width), and the number of the class of each."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    places: list[int]


def spread(count: int, at_most: int) -> list[int]:
    """Return so many places, evenly over all."""
    wanted = min(count, at_most)
    return [number * count // wanted for number in range(wanted)]


def some_pictures(facts: DatasetFacts, source: BlobSource, at_most: int) -> Pictures:
    """Return pictures from everywhere in what trains, in its order."""
    known = facts.facts
    if not isinstance(known, ImageFacts):
        raise TypeError
    size = known.channels * known.height * known.width
    at_most = min(at_most, max(1, MAX_PICTURE_BYTES // size))
    if known.type == "image_folder":
        content = source.read(facts.files[0].sha256)
        return Pictures(*image_folder.sample(content, known, spread(known.examples, at_most)))
    data = registry.load(facts, source)
    if not isinstance(data, ImageData):
        raise TypeError
    places = spread(len(data.images), at_most)
    return Pictures(data.images[places], data.labels[places], places)


def of_every_class(labels: Sequence[int], count: int) -> list[int]:
    """Choose places: the first of every class, then the second, until there are enough."""
    seen: dict[int, int] = {}
    turns: list[tuple[int, int, int]] = []
    for place, label in enumerate(labels):
        seen[label] = turn = seen.get(label, 0) + 1
        turns.append((turn, label, place))
    return [place for _, _, place in sorted(turns)[:count]]
