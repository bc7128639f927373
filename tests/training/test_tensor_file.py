"""Files written from tensors are the bytes that safetensors makes of them."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor

from service.training.tensor_file import TensorFile

TYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint64,
    torch.uint32,
    torch.uint16,
    torch.uint8,
    torch.bool,
]
shapes = st.lists(st.integers(0, 5), max_size=3)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    shape = draw(shapes)
    return (torch.rand(shape) * 4).to(draw(st.sampled_from(TYPES)))


@settings(max_examples=300, deadline=None)
@given(content=st.dictionaries(names, tensors(), max_size=8), note=st.text(max_size=5))
def test_the_bytes_are_those_of_safetensors(content: dict[str, Tensor], note: str) -> None:
    content.pop("__metadata__", None)
    assert TensorFile(content, {"note": note}).read() == save(content, metadata={"note": note})
    assert TensorFile(content).read() == save(content)


def test_tensors_that_share_memory_or_lie_in_another_order_come_back_equal() -> None:
    whole = torch.arange(48.0).reshape(2, 3, 2, 4)
    content = {
        "whole": whole,
        "again": whole,
        "channels last": whole.to(memory_format=torch.channels_last),
        "part": whole[1:, :, 1],
        "turned": whole.transpose(0, 3),
        "scalar": whole[0, 1, 1, 2],
    }
    read = load(TensorFile(content).read())
    assert all(torch.equal(read[name], tensor) for name, tensor in content.items())


def test_a_file_shows_the_tensors_as_they_are_when_it_is_read_and_as_often() -> None:
    weights = torch.zeros(3)
    file = TensorFile({"weights": weights})
    before = file.read()
    weights += 1

    assert torch.equal(load(before)["weights"], torch.zeros(3))
    assert torch.equal(load(file.read())["weights"], torch.ones(3))


def test_large_tensors_are_not_copied() -> None:
    weights = torch.zeros(1000)
    _, piece = TensorFile({"weights": weights}).pieces()
    weights += 1
    assert bytes(piece) == weights.numpy().tobytes()
