"""What a zip may hold: weights are told from pickles, which begin alike."""

import json
from collections.abc import Mapping
from io import BytesIO

import pytest

from service.domain.problems import Invalid
from service.prediction.bundles.unpacking import Unpacked, unpack
from tests.api.broken_bundles import a_pickle, packed

LIKE_PICKLES = [640, 896, 1152, 1408, 65536 + 640]


def weights(header: int) -> bytes:
    """Make a safetensors file with a header of so many bytes."""
    tensors = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    return header.to_bytes(8, "little") + json.dumps(tensors).encode().ljust(header) + bytes(4)


def unpacked(content: bytes, folder: str = "", others: Mapping[str, bytes] = {}) -> Unpacked:
    small = {"config.json": b"{}", "preparation.json": b"{}"}
    files = {**small, "model.safetensors": content, **others}
    named = {folder + name: each for name, each in files.items()}
    return unpack(BytesIO(packed(named)), max_bytes=1 << 20)


@pytest.mark.parametrize("folder", ["", "cook-1/"])
@pytest.mark.parametrize("header", LIKE_PICKLES)
def test_weights_are_no_pickle_however_long_their_header_is(header: int, folder: str) -> None:
    content = weights(header)
    into = BytesIO()
    unpacked(content, folder).copy("model.safetensors", into)
    assert content[0] == 0x80
    assert into.getvalue() == content


@pytest.mark.parametrize("folder", ["", "cook-1/"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_called_weights_is_refused(protocol: int, folder: str) -> None:
    with pytest.raises(Invalid, match="holds a pickle"):
        unpacked(a_pickle(protocol), folder)


@pytest.mark.parametrize("begins", [b"\x80\x02", b"\x80\x02" + bytes(6), b"\x80\x02\0\0\1\0\0\0{"])
def test_half_a_length_does_not_make_weights(begins: bytes) -> None:
    with pytest.raises(Invalid, match="holds a pickle"):
        unpacked(begins)


@pytest.mark.parametrize("name", ["notes", "more/model.safetensors", "model.safetensors.txt"])
def test_only_the_weights_may_begin_as_a_pickle_does(name: str) -> None:
    with pytest.raises(Invalid, match="holds a pickle"):
        unpacked(weights(100), others={name: weights(640)})
