"""What can be found in data is listed in the guide, so that a program can act on its code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
SAY_A_CODE = {"error", "warning", "note", "bad_line", "_bad", "EntryRefused", "Finding"}
CODE = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


def codes_in(tree: ast.AST) -> Iterator[str]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", None))
        if name not in SAY_A_CODE:
            continue
        given = [*call.args, *(each.value for each in call.keywords if each.arg == "code")]
        for value in given:
            text = value.value if isinstance(value, ast.Constant) else None
            if isinstance(text, str) and CODE.fullmatch(text):
                yield text


FILES = [*(ROOT / "service" / "datasets").glob("*.py"), ROOT / "service" / "api" / "datasets.py"]
CODES = sorted({code for file in FILES for code in codes_in(ast.parse(file.read_bytes()))})


@pytest.mark.parametrize("code", CODES)
def test_a_finding_stands_in_the_guide(code: str) -> None:
    assert f"| `{code}` |" in GUIDE


def test_the_guide_has_no_finding_that_is_never_made() -> None:
    assert re.findall(r"^\| `([a-z0-9_]+)` \| (?:error|warning|note)", GUIDE, re.MULTILINE) == CODES
