"""Pictures side by side on one PNG, each with its label below."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SMALLEST, LARGEST = 64, 128
"""Pixels of the longer side of a picture on the sheet; small ones are enlarged whole times."""
COLUMNS = 10

_MARGIN, _LINE, _FONT_SIZE = 6, 14, 11
_PAPER, _INK = "white", "black"


def draw(images: Sequence[NDArray[np.uint8]], labels: Sequence[str]) -> bytes:
    """Return a PNG of pictures (channels, height, width).

    The font has Latin letters alone; what it lacks in a label is drawn as an empty box.
    """
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
        drawing.text(below, _fitting(label, width - _MARGIN, font), fill=_INK, font=font)
    written = BytesIO()
    sheet.save(written, "PNG")
    return written.getvalue()


def _picture(pixels: NDArray[np.uint8]) -> Image.Image:
    channels = pixels.transpose(1, 2, 0)
    if channels.shape[2] in {2, 4}:  # the last one says how much is seen
        channels = channels[:, :, :-1]
    image = Image.fromarray(
        np.ascontiguousarray(channels.squeeze(2) if channels.shape[2] == 1 else channels)
    )
    longer = max(image.size)
    if longer > LARGEST:
        image.thumbnail((LARGEST, LARGEST))
    elif longer < SMALLEST:
        times = SMALLEST // longer
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    return image.convert("RGB")


def _fitting(label: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    line = label.splitlines()[0] if label else ""
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}…") > width:
        line = line[:-1]
    return f"{line}…"
