"""A picture in a terminal has two pixels in each character."""

import io

import pytest
from PIL import Image
from rich.console import Console

from service.cli.pictures import MAX_WIDTH, picture

PLAIN = Console(file=io.StringIO())
COLOURED = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor")


def a_png(pixels: bytes, size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.frombytes("L", size, pixels).save(file, format="PNG")
    return file.getvalue()


def test_without_colours_a_character_says_which_of_two_pixels_are_bright() -> None:
    image = a_png(bytes([255, 255, 0, 0, 255, 0, 255, 0]), (4, 2))

    assert picture(image, PLAIN).plain == "█▀▄\n"


def test_with_colours_the_upper_half_block_carries_both_pixels() -> None:
    text = picture(a_png(bytes([255, 16]), (1, 2)), COLOURED)

    assert text.plain == "▀\n"
    assert [str(span.style) for span in text.spans] == ["#ffffff on #101010"]


def test_a_large_picture_is_made_to_fit() -> None:
    lines = picture(a_png(b"\xff" * 200 * 101, (200, 101)), PLAIN).plain.splitlines()

    assert {len(line) for line in lines} == {MAX_WIDTH}
    assert len(lines) == 8


def test_what_is_no_image_is_an_error() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        picture(b"no image", PLAIN)
