"""1,797 handwritten digits of 8×8 pixels: small enough to train on in a second."""

from collections.abc import Mapping
from importlib.resources import files

from service.datasets.base import BuiltIn
from service.domain.datasets import IdxDatasetSpec

_SPEC = IdxDatasetSpec(
    name="digits",
    type="idx",
    classes=[str(digit) for digit in range(10)],
    source="Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI, 1998",
    licence="CC BY 4.0",
)


def _files() -> Mapping[str, bytes]:
    folder = files("service.datasets.builtin") / "data" / "digits"
    return {
        "images": (folder / "images-idx3-ubyte.gz").read_bytes(),
        "labels": (folder / "labels-idx1-ubyte.gz").read_bytes(),
    }


BUILT_IN = BuiltIn(spec=_SPEC, files=_files)
