"""Every upload of IDX files ends in facts or in a problem that names the file."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.datasets import idx
from service.domain.problems import Invalid, TooLarge
from tests.datasets.files import an_idx_spec, images_file, labels_file, opened

GIB = 1 << 30
IMAGES = images_file(4, 2, 3)
LABELS = labels_file(0, 1, 0, 1)


@pytest.mark.parametrize("compress", [False, True])
def test_grey_images_are_read_as_they_were_written(compress: bool) -> None:
    files = {
        "images": images_file(4, 2, 3, compress=compress),
        "labels": labels_file(0, 2, 0, 1, compress=compress),
    }
    facts = idx.check(opened(**files), an_idx_spec(), GIB)
    data = idx.load(files, facts)
    assert (facts.channels, facts.height, facts.width, facts.examples) == (1, 2, 3, 4)
    assert facts.classes == ["0", "1", "2"]
    assert facts.examples_per_class == [2, 1, 1]
    assert data.images.shape == (4, 1, 2, 3)
    assert data.images.ravel().tolist() == [number * 7 % 256 for number in range(24)]
    assert data.labels.tolist() == [0, 2, 0, 1]


def test_colour_images_get_their_channels_first() -> None:
    files = {"images": images_file(4, 2, 3, 3), "labels": LABELS}
    data = idx.load(files, idx.check(opened(**files), an_idx_spec(), GIB))
    assert data.images.shape == (4, 3, 2, 3)
    assert data.images[0, :, 0, 0].tolist() == [0, 7, 14]


def test_test_files_are_read_beside_the_others() -> None:
    files = {
        "images": IMAGES,
        "labels": LABELS,
        "test_images": images_file(1, 2, 3),
        "test_labels": labels_file(2),
    }
    facts = idx.check(opened(**files), an_idx_spec(), GIB)
    assert (facts.test_examples, len(facts.classes), facts.examples_per_class) == (1, 3, [2, 2, 0])
    assert facts.test_examples_per_class == [0, 0, 1]


@pytest.mark.parametrize(
    ("changed", "pointer", "says"),
    [
        ({"images": b"\x89PNG\r\n"}, "/images", "wrong magic"),
        ({"images": b""}, "/images", "wrong magic"),
        ({"images": b"\0\0\x0d" + IMAGES[3:]}, "/images", "0x0d"),
        ({"images": IMAGES[:-1]}, "/images", "end before"),
        ({"images": IMAGES[:7]}, "/images", "end before"),
        ({"images": IMAGES + b"\0"}, "/images", "more bytes"),
        ({"images": gzip.compress(IMAGES)[:-9]}, "/images", "end before"),
        ({"images": gzip.compress(IMAGES)[:-4] + b"abcd"}, "/images", "damaged"),
        ({"images": LABELS}, "/images", "1 dimensions"),
        ({"images": images_file(0, 2, 3)}, "/images", "no example"),
        ({"images": images_file(4, 0, 3)}, "/images", "at least one pixel"),
        ({"images": images_file(4, 2, 3, 5)}, "/images", "1 to 4 channels"),
        ({"labels": IMAGES}, "/labels", "3 dimensions"),
        ({"labels": labels_file(0, 1, 0, 1, 1)}, "/labels", "more than the images"),
        ({"labels": labels_file(0, 1)}, "/labels", "fewer than the images"),
        ({"labels": labels_file(0, 0, 0, 0)}, "/labels", "one class"),
        ({"test_images": IMAGES}, "/test_labels", "missing"),
        ({"test_images": images_file(1, 3, 2), "test_labels": labels_file(0)}, "/test_images", "2"),
        ({"extra": b""}, "/extra", "no part"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(
    changed: dict[str, bytes], pointer: str, says: str
) -> None:
    files = {"images": IMAGES, "labels": LABELS} | changed
    with pytest.raises(Invalid) as raised:
        idx.check(opened(**files), an_idx_spec(), GIB)
    assert raised.value.errors[0].pointer == pointer
    assert says in raised.value.errors[0].detail


def test_a_label_without_a_name_is_refused() -> None:
    files = opened(images=IMAGES, labels=labels_file(0, 1, 2, 1))
    with pytest.raises(Invalid, match="class 2 at example 2"):
        idx.check(files, an_idx_spec(["shirt", "bag"]), GIB)


def test_images_without_two_of_a_class_cannot_be_split() -> None:
    files = opened(images=images_file(2, 2, 3), labels=labels_file(0, 1))
    with pytest.raises(Invalid, match="too small"):
        idx.check(files, an_idx_spec(), GIB)


def test_a_header_that_promises_too_much_is_too_large_before_anything_is_decompressed() -> None:
    promise = bytes((0, 0, 8, 3)) + b"\xff" * 12
    files = opened(images=gzip.compress(promise), labels=LABELS)
    with pytest.raises(TooLarge) as raised:
        idx.check(files, an_idx_spec(), GIB)
    assert raised.value.errors[0].pointer == "/images"


def test_all_files_together_stay_within_the_bound() -> None:
    files = {"images": IMAGES, "labels": LABELS}
    idx.check(opened(**files), an_idx_spec(), 28)
    with pytest.raises(TooLarge):
        idx.check(opened(**files), an_idx_spec(), 27)


def test_a_bomb_is_not_decompressed_beyond_its_header() -> None:
    bomb = gzip.compress(IMAGES + bytes(50 << 20))
    with pytest.raises(Invalid, match="more bytes"):
        idx.check(opened(images=bomb, labels=LABELS), an_idx_spec(), GIB)


FILES = st.sampled_from([IMAGES, LABELS, gzip.compress(IMAGES), gzip.compress(LABELS)])
DAMAGED = st.tuples(FILES, st.integers(0, 60), st.binary(max_size=4)).map(
    lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + len(parts[2]) :]
)


@given(st.binary(max_size=64) | DAMAGED, st.binary(max_size=64) | DAMAGED)
def test_any_bytes_end_in_facts_or_a_problem(images: bytes, labels: bytes) -> None:
    files = {"images": images, "labels": labels}
    try:
        facts = idx.check(opened(**files), an_idx_spec(), 1 << 16)
    except (Invalid, TooLarge) as problem:
        named = {error.pointer for error in problem.errors}
    else:
        named = {"/images"}
        assert len(idx.load(files, facts).images) == facts.examples
    assert named <= {"/images", "/labels"}
    assert named


def test_an_array_is_written_in_the_published_layout() -> None:
    array = np.array([[1, 2, 3]], dtype=np.uint8)
    assert idx.encode(array) == bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3])
