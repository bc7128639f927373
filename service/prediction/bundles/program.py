"""The file `model.py` of a bundle: one network, and how it is loaded and asked."""

import inspect
import sys
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any, NamedTuple, cast

from torch import Tensor, nn

from service.prediction.bundles import harness
from service.prediction.bundles.source import ModelNotPortable, Source

Answer = Callable[[Any, Tensor, dict[str, Any]], Tensor]


class Way(NamedTuple):
    """How models of a task are asked, and asked about a text."""

    answer: Answer
    about_text: Callable[[Callable[[Tensor], Tensor], str, Any], list[tuple[str, float]]] | None


WAYS: dict[str, Way] = {
    "next_word": Way(harness.next_word, harness.best_words),
    "text_classification": Way(harness.text_classes, harness.best_classes),
    "image_classification": Way(harness.image_classes, None),
    "classification": Way(harness.row_classes, None),
    "regression": Way(harness.row_values, None),
}

_BEGINNING = '''"""{said}

`load()` gives the network with its weights, `predict(model, inputs)` asks it. It needs torch and
safetensors. `python model.py` compares the network with example.json{and_texts}.
"""

from __future__ import annotations

{imports}

HERE = Path(__file__).parent


'''
_END = '''

def load(folder: Path = HERE) -> nn.Module:
    """Build the network and load its weights; it is in eval mode, on the CPU."""
    return {restored}({build}, {shape}, folder)


def predict(model: nn.Module, inputs: Tensor) -> Tensor:
    """{answers}
    """
    with torch.inference_mode():
        return {answer}(model, inputs, {read_json}(HERE, "preparation.json"))


def main() -> int:
    """Check the network{or_ask}."""
    model = load()
{ask}    return {differences}(lambda inputs: predict(model, inputs), HERE)


if __name__ == "__main__":
    raise SystemExit(main())
'''
_ASK = """    if len(sys.argv) > 1:
        for name, share in {about}(lambda inputs: predict(model, inputs), sys.argv[1], HERE):
            sys.stdout.write(f"{{share:.4f}} {{name}}\\n")
        return 0
"""
_IMPORTS = [
    "import sys",
    "import torch",
    "from pathlib import Path",
    "from torch import Tensor, nn",
]


def way_of(task: str) -> Way:
    """Tell how models of a task are asked. Raises ModelNotPortable for a task of others."""
    if task not in WAYS:
        raise ModelNotPortable(f"how {task} is asked is known to another package")
    return WAYS[task]


@lru_cache(maxsize=64)
def program(build: Callable[..., nn.Module], shape: type, task: str) -> str:
    """Write the file for an architecture's `build`. Raises ModelNotPortable."""
    way = way_of(task)
    source = Source(build.__module__.partition(".")[0])
    names = {"build": source.add(cast("FunctionType", build)), "shape": source.add(shape)}
    for used in (harness.restored, harness.read_json, harness.differences):
        names[used.__name__] = source.add(used)
    names["answer"] = source.add(cast("FunctionType", way.answer))
    about = way.about_text
    ask = "" if about is None else _ASK.format(about=source.add(cast("FunctionType", about)))
    said = inspect.cleandoc(sys.modules[build.__module__].__doc__ or "A network.")
    beginning = _BEGINNING.format(
        said=said.replace("\\", "\\\\"),
        and_texts="; with a text\nbehind it, the network is asked about that" if ask else "",
        imports="\n".join(_merged([*source.imports(), *_IMPORTS])),
    )
    end = _END.format(
        **names,
        answers=_indented(inspect.cleandoc(way.answer.__doc__ or "")),
        or_ask=", or ask it about a text" if ask else "",
        ask=ask,
    )
    return beginning + "\n\n\n".join(source.definitions()) + "\n" + end


def _indented(said: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in said.splitlines()).strip()


def _merged(statements: list[str]) -> list[str]:
    """Write each module once, with all that comes of it; `import` before `from`."""
    plain = sorted({each for each in statements if each.startswith("import ")})
    wanted: dict[str, set[str]] = {}
    for each in statements:
        if each.startswith("from "):
            module, _, names = each.removeprefix("from ").partition(" import ")
            wanted.setdefault(module, set()).update(names.split(", "))
    return plain + [
        f"from {module} import {', '.join(sorted(names))}"
        for module, names in sorted(wanted.items())
    ]
