"""What was found in data, as a table: what it is, where, what to do, and what stands there."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from rich.text import Text

from service.cli import output
from service.client import TrainyardError
from service.domain.datasets import Finding
from service.domain.problems import FieldError

STYLES = {"error": "red", "warning": "yellow", "note": "cyan"}

_MAX_EXCERPT = 60
_FEW = 100_000  # lines of a file that are looked through for what to show


def print_findings(findings: Sequence[Finding]) -> None:
    """Print a row for each finding, with what stands there underlined."""
    if not findings:
        return
    rows: list[list[str | Text]] = []
    for each in findings:
        where = [f"{each.count:,}×"] if each.count > 1 else []
        where += [each.file] if each.file is not None and each.file != "file" else []
        where += [f"line {each.line}"] if each.line is not None else []
        where += [each.column] if each.column is not None else []
        excerpt = Text(each.excerpt or "", style="underline" if each.excerpt else "")
        level = Text(each.level, style=STYLES[each.level])
        rows.append([level, " ".join(where), each.detail, excerpt])
    output.print_table(["", "where", "what", "there"], rows)


def excerpts(errors: Sequence[FieldError], files: Mapping[str, Path]) -> list[Finding]:
    """Make findings of wrong lines, with what stands in the files that were sent."""
    found: list[Finding] = []
    for role, file in files.items():
        wrong = {each.line: each for each in errors if each.pointer == f"/{role}" and each.line}
        if not wrong:
            continue
        with file.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(islice(lines, _FEW), start=1):
                if number in wrong:
                    found.append(_finding(wrong[number], file, line.rstrip("\r\n")))
    return found


def print_refusal(error: TrainyardError, files: Mapping[str, Path]) -> None:
    """Print which lines are wrong, as they stand in the files; the problem follows."""
    print_findings(excerpts(error.errors, files))


def _finding(error: FieldError, file: Path, line: str) -> Finding:
    shown = line if len(line) <= _MAX_EXCERPT else f"{line[:_MAX_EXCERPT]}…"
    return Finding(
        level="error",
        code="invalid",
        detail=error.detail,
        line=error.line,
        file=file.name,
        excerpt=shown or None,
    )
