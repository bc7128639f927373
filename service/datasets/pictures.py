"""A picture file becomes pixels, by one documented rule.

The first frame is turned as its EXIF orientation says, laid on black where it is transparent, made
grey (1 channel) or RGB (3) as the model wants, and stretched to the model's height and width with
Pillow's bilinear filter, which smooths when it shrinks. Grey values of 16 bits keep their upper 8.
Pixels that are there already become other ones by the same rule.
"""

import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from service.domain.problems import Invalid, invalid_field
from service.machine import cores

MAX_PIXELS = 50_000_000
"""More are refused by the header, before anything is decoded."""

MAX_PIXELS_TOGETHER = 2 * MAX_PIXELS
"""Of all pictures of one request: few bytes may unpack to pixels that take minutes."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")

_TOGETHER = 256
"""Images that one thread resizes at once."""

_ENLARGED = 4
_SQUEEZED = 3
_TINGE = 30.0
_LOOKED_AT = 32

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture of an EXIF orientation upright; 1 is."""

# What Pillow's decoders raise for damaged files; there is no common base class.
_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    SyntaxError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
)


# Smaller blocks stay with the process when they are freed: gigabytes, after a few large pictures.
Image.core.set_block_size(64 << 20)


class Budget:
    """How many pixels the pictures of one request may still have together."""

    def __init__(self) -> None:
        self._left = MAX_PIXELS_TOGETHER

    def take(self, pixels: int, pointer: str) -> None:
        """Take so many, before they are decoded. Raises Invalid."""
        self._left -= pixels
        if self._left < 0:
            million = MAX_PIXELS_TOGETHER // 1_000_000
            detail = f"is one picture too many: a request may have {million} million pixels"
            raise invalid_field(pointer, f"{detail} in picture files; send fewer or smaller ones")


def read(
    content: bytes,
    *,
    channels: int,
    height: int,
    width: int,
    pointer: str = "/inputs/0",
    budget: Budget | None = None,
    noticed: list[str] | None = None,
) -> NDArray[np.uint8]:
    """Return the pixels (channels, height, width). Raises Invalid for what is no picture.

    What is lost or made up when it becomes one of this size is added to `noticed`.
    """
    with warnings.catch_warnings():
        # Its own limit of pixels lies above ours, and damaged metadata is no matter of ours.
        warnings.simplefilter("ignore")
        try:
            with Image.open(BytesIO(content), formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise _too_many_pixels(pointer)
                (budget or Budget()).take(image.width * image.height, pointer)
                pixels = _pixels(image, _MODES[channels], height, width, noticed)
        except Image.DecompressionBombError:
            raise _too_many_pixels(pointer) from None
        except _DAMAGED:
            raise _no_picture(pointer) from None
    return np.ascontiguousarray(pixels.reshape(height, width, channels).transpose(2, 0, 1))


class Size(NamedTuple):
    """What images are stretched to."""

    channels: int
    height: int
    width: int


def resized(images: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Return images (count, channels, height, width) of this size, on all cores if they are many.

    They themselves come back where nothing is to be done.
    """
    if images.shape[1:] == size:
        return images
    made = np.empty((len(images), *size), dtype=np.uint8)

    def make(first: int) -> None:
        for number in range(first, min(first + _TOGETHER, len(images))):
            made[number] = _resized(images[number], size)

    if len(images) <= _TOGETHER:
        make(0)
        return made
    with ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(make, range(0, len(images), _TOGETHER)):
            pass  # what a thread raised is raised here
    return made


class Look(NamedTuple):
    """What the header of a picture file says."""

    pixels: int
    animated: bool
    cmyk: bool


def look(content: bytes, *, pointer: str = "/file") -> Look:
    """Read only the header of a picture file. Raises Invalid for what is no picture."""
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            animated = bool(getattr(image, "is_animated", False))
            return Look(image.width * image.height, animated, image.mode == "CMYK")
    except Image.DecompressionBombError:
        raise _too_many_pixels(pointer) from None
    except _DAMAGED:
        raise _no_picture(pointer) from None


def as_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """Make a picture of an image (channels, height, width), grey or RGB."""
    channels_last = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    return Image.fromarray(channels_last.squeeze(2) if len(pixels) == 1 else channels_last)


def as_png(picture: Image.Image) -> bytes:
    """Write a picture as a PNG."""
    written = BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def _no_picture(pointer: str) -> Invalid:
    kinds = ", ".join(FORMATS[:-1])
    detail = f"is no picture that can be decoded; send a whole {kinds} or {FORMATS[-1]} file"
    return invalid_field(pointer, detail)


def _too_many_pixels(pointer: str) -> Invalid:
    detail = f"has more than {MAX_PIXELS // 1_000_000} million pixels; send a smaller picture"
    return invalid_field(pointer, detail)


def _pixels(
    image: Image.Image, mode: str, height: int, width: int, noticed: list[str] | None
) -> NDArray[np.uint8]:
    picture = _upright(image)
    if picture.mode.startswith("I"):
        # Pillow's convert() would cap 16-bit values at 255: a white picture.
        upper = (np.asarray(picture) >> 8).clip(0, 255)
        picture = Image.fromarray(upper.astype(np.uint8))
    if noticed is not None:
        noticed += _remarks(picture, mode, height, width)
    return _stretched(picture, mode, height, width)


def _upright(image: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF orientation says; one that is upright comes back itself."""
    image.load()  # damaged pixels are refused here: below they would be taken for damaged EXIF
    # Not Pillow's exif_transpose(): it writes the EXIF back, and fails where it cannot.
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _DAMAGED:
        return image
    if turn is None:
        return image
    turned = image.transpose(turn)
    image.close()  # its pixels need not stay beside the turned ones
    return turned


def _remarks(picture: Image.Image, mode: str, height: int, width: int) -> list[str]:
    """Say what is lost or made up when a picture becomes one of this mode and size."""
    here, there = f"{picture.width}×{picture.height}", f"{width}×{height} pixels"
    remarks: list[str] = []
    if mode == "L" and _is_colourful(picture):
        remarks.append("the picture is in colour, and the model sees it in grey")
    across, down = picture.width / width, picture.height / height
    if min(across, down) <= 1 / _ENLARGED:
        remarks.append(f"the picture is small: its {here} pixels are stretched to {there}")
    elif max(across / down, down / across) >= _SQUEEZED:
        remarks.append(f"the picture of {here} pixels is squeezed to {there}; cut it to that shape")
    return remarks


def _is_colourful(picture: Image.Image) -> bool:
    """Look at some of its pixels; a photograph of something grey has a tinge, too."""
    if picture.mode in {"1", "L", "LA"} or picture.has_transparency_data:
        return False
    some = picture.resize((_LOOKED_AT, _LOOKED_AT), Image.Resampling.NEAREST).convert("RGB")
    channels = np.asarray(some, dtype=np.int16)
    return float(np.ptp(channels, axis=2).mean()) > _TINGE


def _resized(pixels: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Make another image of one (channels, height, width)."""
    last = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    picture = Image.fromarray(last[:, :, 0] if last.shape[2] == 1 else last)
    made = _stretched(picture, _MODES[size.channels], size.height, size.width)
    return made.reshape(size.height, size.width, size.channels).transpose(2, 0, 1)


def _stretched(picture: Image.Image, mode: str, height: int, width: int) -> NDArray[np.uint8]:
    if picture.has_transparency_data and mode in {"L", "RGB"}:
        picture = picture.convert("RGBA")
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, picture)
    if picture.mode != mode:  # converting to what it is would copy it
        picture = picture.convert(mode)
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture, dtype=np.uint8)
