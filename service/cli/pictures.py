"""Pictures in a terminal: each character is two pixels, one above the other.

With colours the upper half block carries both pixels; without (a file, a pipe) four block
characters say which of the two are bright.
"""

import io
import warnings
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

MAX_WIDTH = 32
BRIGHT = 80  # of 255: Fashion-MNIST's cloth is above, its background is 0


def picture(image: bytes | Path, console: Console) -> Text:
    """Draw an image file. Raises OSError when it is none."""
    with warnings.catch_warnings():
        # A picture is drawn small or not at all; a bomb must not be unpacked to look at it.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            opened = Image.open(io.BytesIO(image) if isinstance(image, bytes) else image)
            small = _fit(opened)
        except Image.DecompressionBombWarning as error:
            raise OSError(str(error)) from error
    coloured = console.is_terminal and console.color_system is not None
    return _in_colour(small) if coloured else _in_blocks(small.convert("L"))


def _fit(image: Image.Image) -> Image.Image:
    """Shrink to at most MAX_WIDTH columns, and to an even height."""
    width = min(image.width, MAX_WIDTH)
    height = max(2, round(image.height * width / image.width / 2) * 2)
    colours = image.convert("RGB")
    return colours if colours.size == (width, height) else colours.resize((width, height))


def _in_colour(image: Image.Image) -> Text:
    text = Text()
    for row in range(0, image.height, 2):
        for column in range(image.width):
            upper, lower = _hex(image, column, row), _hex(image, column, row + 1)
            text.append("▀", style=f"{upper} on {lower}")
        text.append("\n")
    return text


def _in_blocks(image: Image.Image) -> Text:
    lines: list[str] = []
    pixels = image.tobytes()
    for row in range(0, image.height, 2):
        upper = pixels[row * image.width : (row + 1) * image.width]
        lower = pixels[(row + 1) * image.width : (row + 2) * image.width]
        lines.append(
            "".join(
                " ▄▀█"[2 * (above > BRIGHT) + (below > BRIGHT)]
                for above, below in zip(upper, lower, strict=True)
            ).rstrip()
        )
    return Text("\n".join(lines) + "\n")


def _hex(image: Image.Image, column: int, row: int) -> str:
    pixel = image.getpixel((column, row))
    red, green, blue = pixel if isinstance(pixel, tuple) else (0, 0, 0)
    return f"#{int(red):02x}{int(green):02x}{int(blue):02x}"
