"""Picture files become pixels by the documented rule, or a problem."""

import struct
from io import BytesIO
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from service.datasets import pictures
from service.domain.problems import Invalid


def a_file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    written = BytesIO()
    image.save(written, kind, **options)  # pyright: ignore[reportArgumentType]
    return written.getvalue()


def grey(content: bytes, height: int = 2, width: int = 2) -> list[list[int]]:
    return pictures.read(content, channels=1, height=height, width=width)[0].tolist()


def test_pixels_of_the_right_size_stay_as_they_are() -> None:
    pixels = np.arange(28 * 28, dtype=np.uint32).reshape(28, 28).astype(np.uint8)
    content = a_file(Image.fromarray(pixels))
    assert grey(content, 28, 28) == pixels.tolist()


def test_colours_come_channel_by_channel() -> None:
    content = a_file(Image.new("RGB", (3, 2), (10, 20, 30)))
    pixels = pictures.read(content, channels=3, height=2, width=3)
    assert pixels.shape == (3, 2, 3)
    assert pixels[:, 0, 0].tolist() == [10, 20, 30]


def test_another_size_is_stretched() -> None:
    content = a_file(Image.new("L", (50, 10), 77))
    assert grey(content) == [[77, 77], [77, 77]]


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGBA", (2, 2), (255, 255, 255, 0)),
        Image.new("LA", (2, 2), (255, 0)),
    ],
)
def test_what_is_transparent_lies_on_black(image: Image.Image) -> None:
    assert grey(a_file(image)) == [[0, 0], [0, 0]]


def test_a_transparent_palette_lies_on_black() -> None:
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, 255, 255, 255])
    assert grey(a_file(image, transparency=1)) == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("mode", "kind", "dark", "light"),
    [
        ("1", "PNG", 0, 255),
        ("L", "PNG", 40, 200),
        ("LA", "PNG", 40, 200),
        ("P", "PNG", 40, 200),
        ("P", "GIF", 40, 200),
        ("RGB", "BMP", 40, 200),
        ("RGB", "WEBP", 40, 200),
        ("RGBA", "PNG", 40, 200),
        ("CMYK", "JPEG", 40, 200),
        ("I;16", "PNG", 40, 200),
    ],
)
def test_a_picture_of_any_mode_is_as_light_as_it_looks(
    mode: str, kind: str, dark: int, light: int
) -> None:
    halves = np.repeat([[dark, light]], 8, axis=1).repeat(16, axis=0).astype(np.uint8)
    picture = Image.fromarray(halves)
    if mode == "I;16":
        picture = Image.fromarray(halves.astype(np.uint16) << 8)
    elif mode == "CMYK":
        picture = picture.convert("RGB").convert("CMYK")
    elif mode != "L":
        picture = picture.convert(mode)

    ((left, *_, right),) = grey(a_file(picture, kind), 1, 4)

    assert [left, right] == pytest.approx([dark, light], abs=12)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(orientation: int) -> None:
    upright = np.array([[250, 10], [120, 60]], dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation

    content = a_file(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)

    assert grey(content, 16, 16) == upright.tolist()


EXIF_OF_NO_TIFF = b"Exif\0\0" + b"no TIFF at all"
DARK_ABOVE = np.array([[10], [250]], dtype=np.uint8).repeat(16, 1).repeat(8, 0)


def an_exif(*tags: tuple[int, int, int, bytes], orientation: int = 6) -> bytes:
    """Write EXIF by hand, for Pillow writes no wrong one: tags as (number, type, count, value)."""
    entries = [*tags, (0x0112, 3, 1, struct.pack("<HH", orientation, 0))]
    packed = [struct.pack("<HHI4s", *entry) for entry in sorted(entries)]
    head = b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(packed))
    return head + b"".join(packed) + bytes(4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_with_damaged_exif_is_upright(kind: str) -> None:
    content = a_file(Image.fromarray(DARK_ABOVE), kind, exif=EXIF_OF_NO_TIFF)
    assert grey(content, 16, 16) == grey(a_file(Image.fromarray(DARK_ABOVE), kind), 16, 16)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "odd",
    [
        (0x0103, 2, 4, b"six\0"),  # text where a number belongs
        (0x0100, 9, 1, struct.pack("<i", -16)),  # a width below nothing
    ],
)
def test_a_tag_that_cannot_be_written_back_keeps_no_picture_from_being_turned(
    kind: str, odd: tuple[int, int, int, bytes]
) -> None:
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(DARK_ABOVE)))
    turned = np.array(grey(a_file(stored, kind, exif=an_exif(odd)), 16, 16))
    assert turned == pytest.approx(DARK_ABOVE, abs=12)


@pytest.mark.parametrize("orientation", [1, 6])
def test_one_copy_of_the_pixels_is_left_when_a_picture_is_upright(
    orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = an_exif(orientation=orientation)
    stored = Image.open(BytesIO(a_file(Image.fromarray(DARK_ABOVE), exif=exif)))
    transposed = Mock(wraps=stored.transpose)
    monkeypatch.setattr(stored, "transpose", transposed)

    upright = pictures._upright(stored)  # pyright: ignore[reportPrivateUsage]

    assert upright.size == (16, 16)
    assert transposed.called == (upright is not stored) == (orientation == 6)
    if upright is not stored:
        with pytest.raises(ValueError, match="closed"):
            stored.getpixel((0, 0))


def test_a_picture_of_damaged_pixels_is_refused_with_its_orientation_behind_them() -> None:
    content = a_file(Image.effect_noise((64, 64), 90), exif=an_exif())
    with pytest.raises(Invalid, match="no picture"):
        grey(content[: len(content) // 2], 64, 64)


def test_sixteen_bits_keep_their_upper_eight() -> None:
    image = Image.fromarray(np.full((2, 2), 0x4321, dtype=np.uint16))
    assert grey(a_file(image)) == [[0x43, 0x43], [0x43, 0x43]]


def test_a_photograph_is_turned_upright() -> None:
    image = Image.fromarray(np.array([[0, 255]], dtype=np.uint8).repeat(8, 0).repeat(8, 1))
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    turned = grey(a_file(image, "PNG", exif=exif), 1, 2)
    assert turned[0][0] > 200
    assert turned[0][1] < 50


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [Image.new("L", (2, 2), value) for value in (10, 200)]
    content = a_file(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert grey(content) == [[10, 10], [10, 10]]


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n", b"%PDF-1.4"])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match="no picture") as raised:
        pictures.read(content, channels=1, height=2, width=2, pointer="/inputs/3")
    assert raised.value.errors[0].pointer == "/inputs/3"


@pytest.mark.parametrize("side", [8_000, 20_000])
def test_too_many_pixels_are_refused_by_the_header(side: int) -> None:
    content = bytearray(a_file(Image.new("1", (1, 1))))
    content[16:24] = side.to_bytes(4, "big") * 2
    content[29:33] = _crc(bytes(content[12:29]))
    with pytest.raises(Invalid, match="50 million pixels"):
        grey(bytes(content))


def _crc(content: bytes) -> bytes:
    import zlib

    return zlib.crc32(content).to_bytes(4, "big")


PICTURE = Image.fromarray((np.arange(12 * 12 * 3) % 251).astype(np.uint8).reshape(12, 12, 3))
WHOLE = [a_file(PICTURE, kind) for kind in pictures.FORMATS]


@given(st.sampled_from(WHOLE), st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_a_damaged_file_gives_pixels_or_a_problem(
    content: bytes, place: int, damage: bytes
) -> None:
    damaged = content[:place] + damage + content[place + len(damage) :]
    try:
        pixels = pictures.read(damaged, channels=3, height=4, width=4)
    except Invalid:
        return
    assert pixels.shape == (3, 4, 4)
