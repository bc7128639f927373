"""Pictures side by side on one PNG, each with its label below.

The font that Pillow brings has the letters of English alone. A label that has others, as Hangul, is
told as the number of its class, `#3`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from service.datasets.pictures import as_image, as_png

SMALLEST, LARGEST = 64, 128
"""Pixels of the longer side of a picture on the sheet; small ones are enlarged whole times."""
COLUMNS = 10

_MARGIN, _LINE, _FONT_SIZE = 6, 14, 11
_PAPER, _INK = "white", "black"
_NO_LETTER = "\U0010ffff"
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw(
    images: Sequence[NDArray[np.uint8]], labels: Sequence[int], classes: Sequence[str]
) -> bytes:
    """Return a PNG of pictures (channels, height, width), each with the number of its class."""
    pictures = [_picture(image) for image in images]
    width = max((each.width for each in pictures), default=SMALLEST) + _MARGIN
    height = max((each.height for each in pictures), default=SMALLEST) + _MARGIN + _LINE
    columns = max(1, min(COLUMNS, len(pictures)))
    rows = max(1, -(-len(pictures) // columns))
    sheet = Image.new("RGB", (columns * width + _MARGIN, rows * height + _MARGIN), _PAPER)
    drawing, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_SIZE)
    for place, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        left = _MARGIN + place % columns * width
        top = _MARGIN + place // columns * height
        sheet.paste(picture, (left, top))
        below = (left, top + height - _MARGIN - _LINE)
        text = _fitting(_legible(classes[label], label, font), width - _MARGIN, font)
        drawing.text(below, text, fill=_INK, font=font)
    return as_png(sheet)


def _picture(pixels: NDArray[np.uint8]) -> Image.Image:
    # Of two or four channels the last one says how much is seen.
    image = as_image(pixels[:-1] if len(pixels) in {2, 4} else pixels)
    longer = max(image.size)
    if longer > LARGEST:
        image.thumbnail((LARGEST, LARGEST))
    elif longer < SMALLEST:
        times = SMALLEST // longer
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    return image.convert("RGB")


def _legible(label: str, number: int, font: Font) -> str:
    """Return the first line of a label, or the number of its class where the font lacks a letter.

    A font draws what it lacks as one and the same box, which is what no letter looks like.
    """
    line = label.splitlines()[0] if label else ""
    box = _drawn(_NO_LETTER, font)
    return f"#{number}" if any(_drawn(letter, font) == box for letter in line) else line


def _drawn(letter: str, font: Font) -> bytes:
    image = Image.new("L", (2 * _FONT_SIZE, 2 * _FONT_SIZE))
    ImageDraw.Draw(image).text((0, 0), letter, fill=255, font=font)
    return image.tobytes()


def _fitting(line: str, width: int, font: Font) -> str:
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}…") > width:
        line = line[:-1]
    return f"{line}…"
