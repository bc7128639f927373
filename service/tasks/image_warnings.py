"""What a client should know of a picture beside those that a model learned from."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]

_LIGHTER = 60
"""Of 255: pictures of one data set differ by less in their mean brightness."""

_MARGIN = 13.0
"""So much may the mean of a picture lie outside of those of training: a twentieth of 255."""

_THINGS = (2, 98)
"""Percent of the pixels: so few may show a thing, which is darker or lighter than the paper."""

_CLEARLY = 2.0

_ENOUGH = 8192
_AT_ONCE = 1024


class Seen(NamedTuple):
    """What the training pictures look like, each taken as a whole; of 255."""

    edge: float
    """The mean along the edges of all."""
    darkest: float
    lightest: float
    """The smallest and the largest mean."""
    flattest: float
    """The smallest standard deviation."""


def seen_in(images: Images) -> Seen:
    """Measure training pictures (count, channels, height, width), of many some thousands."""
    images = images[:: len(images) // _ENOUGH + 1]
    edges: list[float] = []
    means: list[float] = []
    deviations: list[float] = []
    for first in range(0, len(images), _AT_ONCE):
        some = images[first : first + _AT_ONCE]
        flat = some.reshape(len(some), -1).astype(np.float32)
        edges += flat[:, _edge_of(some.shape[1:])].mean(axis=1, dtype=np.float64).tolist()
        means += flat.mean(axis=1, dtype=np.float64).tolist()
        deviations += flat.std(axis=1, dtype=np.float64).tolist()
    return Seen(float(np.mean(edges)), min(means), max(means), min(deviations))


def warnings_about(image: Images, usual: Sequence[float], seen: Seen | None) -> list[str]:
    """Say how a picture (channels, height, width) differs from those of training.

    `usual` is the mean brightness of those, by channel; older models know no more.
    """
    # This is done for every picture that is asked about: as few passes as can be.
    pixels = image.reshape(-1).astype(np.float32)
    mean = float(pixels.sum()) / len(pixels)
    inverted = _inverted(image, mean, usual[0], seen) if len(usual) == 1 else []
    if seen is None:
        return inverted
    deviation = max(0.0, float(pixels.dot(pixels)) / len(pixels) - mean * mean) ** 0.5
    if deviation < 1 and seen.flattest > 0 and image.max() == image.min():
        return ["the picture is of one colour all over: there is nothing on it"]
    return inverted or [*_unusual_light(mean, seen), *_little_contrast(deviation, seen)]


def _inverted(image: Images, here: float, there: float, seen: Seen | None) -> list[str]:
    """Find the other colour of paper.

    A photograph of ink on paper is light with dark things; handwritten digits and clothes are
    light on black.
    """
    dark_on_light = seen is not None and _other_paper(image, there, seen)
    if not dark_on_light and (
        abs(here - there) < _LIGHTER or abs(255 - here - there) > abs(here - there) / 2
    ):
        return []
    light, dark = ("light", "dark") if here > there else ("dark", "light")
    how = f"the picture is {light} (mean {here:.0f} of 255), and those that the model learned from"
    what = f"are {dark} (mean {there:.0f}): if it shows the same on paper of the other colour"
    return [f"{how} {what}, invert it"]


def _other_paper(image: Images, there: float, seen: Seen) -> bool:
    """Tell by the edge, where the paper is, though a photograph may be as dim as its things."""
    places = _edge_of(image.shape)
    edge = float(image.reshape(-1)[places].sum()) / len(places)
    light_on_dark = seen.edge < there
    if (edge - seen.edge if light_on_dark else seen.edge - edge) <= _LIGHTER:
        return False
    dark, light = np.percentile(image, _THINGS)
    darker, lighter = edge - float(dark), float(light) - edge
    return darker > _CLEARLY * lighter if light_on_dark else lighter > _CLEARLY * darker


def _unusual_light(mean: float, seen: Seen) -> list[str]:
    if seen.darkest - _MARGIN <= mean <= seen.lightest + _MARGIN:
        return []
    than = "darker" if mean < seen.darkest else "lighter"
    known = f"their means are {seen.darkest:.0f} to {seen.lightest:.0f}"
    return [f"the picture is {than} (mean {mean:.0f} of 255) than all of training: {known}"]


def _little_contrast(deviation: float, seen: Seen) -> list[str]:
    if deviation >= seen.flattest / 2:
        return []
    known = f"that of training is {seen.flattest:.0f} at least"
    return [f"the picture has little contrast (standard deviation {deviation:.0f}): {known}"]


@lru_cache(maxsize=64)
def _edge_of(shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Find the pixels along the four edges of a picture whose pixels are in a row."""
    edge = np.ones(shape, dtype=np.bool_)
    edge[..., 1:-1, 1:-1] = False
    return np.flatnonzero(edge)
