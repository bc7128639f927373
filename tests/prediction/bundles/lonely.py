"""Runs each `model.py` of some folders where there is nothing but torch and safetensors.

Called as `python -I -S lonely.py SITE_PACKAGES FOLDER…`; writes `found.pt` into each.
"""

# pyright: reportUnknownVariableType=false
# safetensors leaves file names partly untyped.

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

OF_TORCH = {
    "filelock",
    "fsspec",
    "functorch",
    "jinja2",
    "markupsafe",
    "mpmath",
    "networkx",
    "sympy",
    "torchgen",
    "typing_extensions",
}
"""What torch brings by itself."""
ALLOWED = {"torch", "safetensors", *OF_TORCH, *sys.stdlib_module_names}


class Nothing(MetaPathFinder):
    """Finds no other package, whatever is installed."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name.partition(".")[0] not in ALLOWED:
            raise ModuleNotFoundError(name)


def main() -> None:
    sys.path.append(sys.argv[1])
    sys.meta_path.insert(0, Nothing())
    import torch
    from safetensors.torch import load_file

    for folder in map(Path, sys.argv[2:]):
        spec = importlib.util.spec_from_file_location(folder.name, folder / "model.py")
        assert spec is not None
        assert spec.loader is not None
        module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        inputs = load_file(folder / "inputs.safetensors")["inputs"]
        found = module.predict(module.load(), inputs)
        torch.save(found, folder / "found.pt")


if __name__ == "__main__":
    main()
