"""Folders of pictures: what is taken, what is refused by name, and what is never unpacked."""

import stat
import struct
import zipfile
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from service.datasets import image_folder
from service.datasets.base import ImageData
from service.datasets.findings import Findings
from service.datasets.zip_entries import MAX_ENTRIES
from service.domain.datasets import ImageFacts, ImageFolderDatasetSpec
from service.domain.problems import Invalid, TooLarge

LIMIT = 1 << 24


def a_picture(shade: int = 0, kind: str = "PNG", mode: str = "RGB", frames: int = 1) -> bytes:
    written = BytesIO()
    images = [Image.new("L", (6, 5), shade + number).convert(mode) for number in range(frames)]
    more: dict[str, Any] = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    images[0].save(written, kind, **more)
    return written.getvalue()


def a_zip(*paths: str, **others: bytes) -> bytes:
    return packed({**{path: a_picture(10 * n) for n, path in enumerate(paths)}, **others})


def packed(files: dict[str, bytes]) -> bytes:
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return written.getvalue()


def checked(content: bytes, *, skip: bool = False, limit: int = LIMIT) -> tuple[Any, Findings]:
    spec = ImageFolderDatasetSpec(name="pets", type="image_folder", height=4, width=4)
    findings = Findings(skip=skip)
    return image_folder.check({"file": BytesIO(content)}, spec, limit, findings), findings


def loaded(content: bytes, *, skip: bool = False) -> ImageData:
    facts, _ = checked(content, skip=skip)
    return image_folder.load({"file": content}, facts)


def refused(content: bytes, **options: Any) -> list[str]:
    with pytest.raises(Invalid) as invalid:
        checked(content, **options)
    assert {error.pointer for error in invalid.value.errors} == {"/file"}
    return [error.detail for error in invalid.value.errors]


PETS = ("cats/1.png", "cats/2.png", "dogs/1.png")


@pytest.mark.parametrize("around", ["", "pets/", "a/b/", "train/"])
def test_a_folder_is_a_class(around: str) -> None:
    data = loaded(a_zip(*(around + path for path in PETS)))
    assert data.facts == ImageFacts(
        type="image_folder",
        channels=3,
        height=4,
        width=4,
        classes=["cats", "dogs"],
        examples=3,
        test_examples=0,
        examples_per_class=[2, 1],
    )
    assert data.labels.tolist() == [0, 0, 1]
    assert data.images[:, 0, 0, 0].tolist() == [0, 10, 20]
    assert data.test_images is None


@pytest.mark.parametrize("name", ["test", "validation", "Val"])
def test_a_folder_of_tests_validates(name: str) -> None:
    data = loaded(a_zip(*(f"x/train/{path}" for path in PETS), f"x/{name}/dogs/9.png"))
    assert (data.facts.examples, data.facts.test_examples_per_class) == (3, [0, 1])
    assert data.test_labels is not None
    assert data.test_labels.tolist() == [1]


def test_the_order_in_the_zip_does_not_matter() -> None:
    files = {path: a_picture(20 * number) for number, path in enumerate(PETS)}
    one, other = packed(files), packed(dict(reversed(files.items())))
    assert np.array_equal(loaded(one).images, loaded(other).images)


def test_what_file_managers_leave_is_no_picture() -> None:
    content = packed(
        {path: a_picture() for path in PETS}
        | {"__MACOSX/cats/._1.png": b"x", "cats/.DS_Store": b"x", "Thumbs.db": b"x"}
    )
    assert checked(content)[0].examples == 3


def test_each_file_that_is_no_picture_is_named() -> None:
    content = packed(
        {path: a_picture() for path in PETS}
        | {"cats/readme.txt": b"text", "dogs/empty.png": b"", "lost.png": a_picture()}
        | {"dogs/more.zip": a_zip(*PETS)}
    )
    named = refused(content)
    assert [detail.split()[0] for detail in named] == [
        "lost.png",
        "cats/readme.txt",
        "dogs/empty.png",
        "dogs/more.zip",
    ]
    facts, findings = checked(content, skip=True)
    assert facts.examples == 3
    assert findings.bad_lines == 4
    assert len(loaded(content, skip=True).images) == 3


def test_only_the_first_hundred_are_named() -> None:
    content = packed({f"cats/{number}.txt": b"x" for number in range(130)})
    assert len(refused(content)) == 100


@pytest.mark.parametrize("path", ["../cats/1.png", "/cats/1.png", "cats\\..\\..\\1.png", "C:/1/2"])
def test_a_path_that_leads_out_refuses_the_zip(path: str) -> None:
    [detail] = refused(a_zip(*PETS, path), skip=True)
    assert "leads out" in detail


def test_an_entry_without_a_name_is_no_picture() -> None:
    content = a_zip(*PETS, **{"x" * 5: b"nothing"}).replace(b"xxxxx", b"\0xxxx")
    facts, _ = checked(content)
    assert facts.examples == 3


def test_a_link_is_not_followed() -> None:
    written = BytesIO(a_zip(*PETS))
    with zipfile.ZipFile(written, "a") as archive:
        link = zipfile.ZipInfo("dogs/link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    [detail] = refused(written.getvalue())
    assert "is a link" in detail


def test_an_encrypted_file_is_named() -> None:
    content = bytearray(a_zip(*PETS))
    place = content.rindex(b"PK\x01\x02")
    content[place + 8] |= 1
    [detail] = refused(bytes(content))
    assert "encrypted" in detail


def test_moving_pictures_give_their_first_frame_and_cmyk_becomes_rgb() -> None:
    moving, inked = a_picture(7, "GIF", "L", frames=3), a_picture(7, "JPEG", "CMYK")
    content = packed({"cats/1.gif": moving, "cats/2.png": a_picture(), "dogs/1.jpg": inked})
    _, findings = checked(content)
    assert {each.code for each in findings.noticed} == {"animated", "cmyk", "few_examples"}
    assert loaded(content).images[0].max() == 7


def test_one_class_is_none() -> None:
    assert "one class" in refused(a_zip("cats/1.png", "cats/2.png"))[0]


def test_one_picture_of_each_class_leaves_none_to_validate() -> None:
    assert "none is left to validate" in refused(a_zip("cats/1.png", "dogs/1.png"))[0]


def test_a_class_that_only_validates_is_refused() -> None:
    assert "birds" in refused(a_zip("train/a/1.png", "train/b/1.png", "test/birds/1.png"))[0]


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"x" * 5000, a_zip(*PETS)[:-30]])
def test_what_is_no_zip_is_refused(content: bytes) -> None:
    assert "is no zip" in refused(content)[0]


def test_a_bomb_is_refused_by_what_it_declares() -> None:
    content = packed({"cats/1.png": a_picture(), "dogs/1.png": b"\0" * (1 << 22)})
    with pytest.raises(TooLarge):
        checked(content, limit=1 << 20)
    assert "no picture" in refused(content)[0]


def test_a_bomb_that_declares_less_is_damaged() -> None:
    bomb = packed({"cats/1.png": a_picture(), "dogs/1.png": b"\0" * (1 << 22)})
    content = bytearray(bomb)
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 1000)
    assert "damaged" in refused(bytes(content))[0]


def test_too_many_entries_are_counted_before_they_are_read() -> None:
    header = b"PK\x01\x02" + bytes(24) + struct.pack("<3H", 1, 0, 0) + bytes(12) + b"x"
    directory = header * (MAX_ENTRIES + 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 0, 0)
    with pytest.raises(TooLarge):
        checked(directory + end)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_anywhere_is_a_problem_and_never_an_error(data: st.DataObject) -> None:
    content = bytearray(a_zip(*PETS))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        facts, _ = checked(bytes(content), skip=data.draw(st.booleans()))
    except (Invalid, TooLarge):
        return
    assert facts.examples >= 2
