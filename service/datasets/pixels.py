"""How often each value occurs among the pixels of images, counted piece by piece."""

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 1 << 20
"""Pixels: NumPy makes eight bytes of each before it counts."""


def count_values(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return (channels, 256) of images (count, channels, height, width)."""
    channels = images.shape[1]
    together = max(1, _AT_ONCE // max(1, images[:1, :1].size))
    counts = np.zeros((channels, 256), dtype=np.int64)
    for first in range(0, len(images), together):
        for channel in range(channels):
            pixels = images[first : first + together, channel].ravel()
            for start in range(0, len(pixels), _AT_ONCE):
                piece = pixels[start : start + _AT_ONCE]
                counts[channel] += np.bincount(piece, minlength=256)
    return counts
