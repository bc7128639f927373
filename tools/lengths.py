"""Fail when a module is over 400 lines or a function over 50: rooms stay small (`make lint`)."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MODULE_LINES = 400
FUNCTION_LINES = 50
FOLDERS = ("service", "migrations", "tests", "benchmarks", "tools")


def too_long(path: Path) -> Iterator[str]:
    """Name what is too long in one file."""
    source = path.read_text(encoding="utf-8")
    lines = source.count("\n")
    if lines > MODULE_LINES:
        yield f"{path}: {lines} lines, at most {MODULE_LINES}"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                place = f"{path}:{node.lineno}: {node.name}"
                yield f"{place} has {length} lines, at most {FUNCTION_LINES}"


def main() -> int:
    """Check every Python file of the repository."""
    root = Path(__file__).parent.parent
    files = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]
    findings = [finding for path in files for finding in too_long(path)]
    sys.stderr.writelines(f"{finding}\n" for finding in findings)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
