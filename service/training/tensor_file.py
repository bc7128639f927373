"""Safetensors files that are written straight from the tensors, without a copy of all of them.

Byte for byte what `safetensors.torch.save` makes of the same tensors: eight bytes of length, a JSON
header padded to eight, then the tensors, the widest types first and each type by name.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

_NAMES: Mapping[torch.dtype, str] = {
    torch.uint64: "U64",
    torch.int64: "I64",
    torch.float64: "F64",
    torch.float32: "F32",
    torch.uint32: "U32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.uint16: "U16",
    torch.int16: "I16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""What the format calls the types, in the order in which files hold them."""


class TensorFile:
    """A file that is not written yet: it shows the tensors as they are when its pieces are read.

    Whoever reads must be done before they change. Tensors elsewhere than in the CPU's memory, or
    not laid out row by row, are copied one at a time.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
    ) -> None:
        order = {dtype: place for place, dtype in enumerate(_NAMES)}
        names = sorted(tensors, key=lambda name: (order[tensors[name].dtype], name.encode()))
        self._tensors = [tensors[name].detach() for name in names]
        header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
        position = 0
        for name, tensor in zip(names, self._tensors, strict=True):
            end = position + tensor.nbytes
            header[name] = {
                "dtype": _NAMES[tensor.dtype],
                "shape": list(tensor.shape),
                "data_offsets": [position, end],
            }
            position = end
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        self._header = len(text).to_bytes(8, "little") + text

    def pieces(self) -> Iterator[memoryview]:
        """Give the bytes from the beginning, with each call anew."""
        yield memoryview(self._header)
        for tensor in self._tensors:
            # Row by row first: it may be a view of something larger, or lie in another order.
            flat = tensor.cpu().contiguous().reshape(-1)
            yield flat.view(torch.uint8).numpy().data

    def read(self) -> bytes:
        """Return all bytes."""
        return b"".join(self.pieces())
