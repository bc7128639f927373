"""The first 3,000 training and 615 test images of Fashion-MNIST, 28×28 grey pixels."""

from collections.abc import Mapping
from importlib.resources import files

from service.datasets.base import BuiltIn
from service.datasets.mnist_files import NAMES
from service.domain.datasets import IdxDatasetSpec

CLASSES = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]
_SPEC = IdxDatasetSpec(
    name="fashion-mnist-mini",
    type="idx",
    classes=CLASSES,
    source="Fashion-MNIST, H. Xiao, K. Rasul, R. Vollgraf, Zalando Research, 2017",
    licence="MIT",
)


def _files() -> Mapping[str, bytes]:
    folder = files("service.datasets.builtin") / "data" / "fashion-mnist-mini"
    return {role: (folder / name).read_bytes() for role, name in NAMES.items()}


BUILT_IN = BuiltIn(spec=_SPEC, files=_files)
