"""Real English: the reference manual that every CPython carries, as running text.

Its words differ by Python version, so its bytes go into the store when it is first used.
"""

import re
from collections.abc import Mapping

from service.datasets.base import BuiltIn
from service.domain.datasets import TextDatasetSpec

_SPEC = TextDatasetSpec(
    name="python-docs",
    type="text",
    sequences="stream",
    source="The reference manual inside CPython (pydoc_data.topics), Python Software Foundation",
    licence="PSF-2.0",
)

_PARAGRAPH_BREAK = re.compile(r"\n\s*\n")
_RULE = re.compile(r"[*=\-~^#\"+|:. ]*")  # an underline or an edge of a table
_MARKUP = re.compile(r"(?<![\w*])\*{1,2}(?=\w)|(?<=[\w:.)])\*{1,2}(?![\w*])|[\"`|]")  # *name*, "x"
_BULLET = re.compile(r"^(?:\*|\d+\.|\[\d+\]) ")
_CODE = re.compile(
    r"::=|>>>|^\s*(?:def|class|import|print|while|if|for|try|return)\b.*[:)]$", re.MULTILINE
)


def _files() -> Mapping[str, bytes]:
    # The manual is a large module that nothing else needs: read late, on first use.
    from pydoc_data.topics import topics  # noqa: PLC0415

    # Topics share whole sections. A paragraph stays once: a copy could validate what was learned.
    paragraphs = dict.fromkeys(
        paragraph for name in sorted(topics) for paragraph in running_text(topics[name])
    )
    return {"file": "\n".join(paragraphs).encode()}


def running_text(topic: str) -> list[str]:
    """Return the prose paragraphs of a topic, one line each: no code, grammar, rules, markup."""
    paragraphs: list[str] = []
    for block in _PARAGRAPH_BREAK.split(topic):
        if _CODE.search(block):
            continue
        lines = [line.strip() for line in block.splitlines() if not _RULE.fullmatch(line)]
        text = _MARKUP.sub("", " ".join(_BULLET.sub("", line) for line in lines))
        if text:
            paragraphs.append(" ".join(text.split()))
    return paragraphs


BUILT_IN = BuiltIn(spec=_SPEC, files=_files)
