"""Small files for tests: pictures and IDX, made here so that their content is known."""

import gzip
import struct
import zlib
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


def a_picture(
    mode: str, file_type: str, size: tuple[int, int] = (8, 8), *, frames: int = 1
) -> bytes:
    """Draw a plain picture of any mode; with more frames it moves."""
    moving = [Image.new(mode, size) for _ in range(frames - 1)]
    for number, frame in enumerate(moving):
        frame.paste(Image.new(mode, (number + 1, 1), "white"))  # equal frames would be merged
    content = BytesIO()
    options = {"save_all": True, "append_images": moving} if moving else {}
    Image.new(mode, size).save(content, file_type, **options)
    return content.getvalue()


def png_with(chunk_type: bytes, content: bytes) -> bytes:
    """Put a chunk into a PNG right after its header."""
    png = a_png((8, 8))
    checksum = zlib.crc32(chunk_type + content)
    chunk = struct.pack(">I", len(content)) + chunk_type + content + struct.pack(">I", checksum)
    return png[:33] + chunk + png[33:]


def zeros(mebibytes: int, head: bytes = b"") -> bytes:
    """Write zeros behind `head` in gzip: a thousandth of their length."""
    content = BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb") as file:
        file.write(head)
        for _ in range(mebibytes):
            file.write(bytes(1 << 20))
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
