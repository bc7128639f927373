"""Small files for tests: pictures and IDX, made here so that their content is known."""

import struct
from io import BytesIO

import numpy as np
from PIL import Image


def a_png(size: tuple[int, int] = (28, 28), mode: str = "L") -> bytes:
    """Draw a bright square on black."""
    image = Image.new("L", size)
    image.paste(255, (size[0] // 4, size[1] // 4, 3 * size[0] // 4, 3 * size[1] // 4))
    content = BytesIO()
    image.convert(mode).save(content, "PNG")
    return content.getvalue()


def pixels(size: int = 28) -> list[list[int]]:
    """Make a picture as rows of pixels."""
    return [[(row * column) % 256 for column in range(size)] for row in range(size)]


def idx_images(count: int, size: int = 6) -> bytes:
    """Write images in IDX: magic 0x803, three dimensions."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, size, size), dtype=np.uint8)
    return struct.pack(">4I", 0x803, count, size, size) + images.tobytes()


def idx_labels(labels: list[int]) -> bytes:
    """Write labels in IDX: magic 0x801, one dimension."""
    return struct.pack(">2I", 0x801, len(labels)) + bytes(labels)
