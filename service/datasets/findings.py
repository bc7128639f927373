"""What is noticed while data are checked: errors that refuse them, warnings, notes.

A line that cannot be read is an error, unless the upload says to skip such lines: then it is left
out, and a warning tells how many there were and which.
"""

from collections import Counter
from dataclasses import dataclass, field

from service.domain.datasets import Finding
from service.domain.problems import FieldError, Invalid

MAX_FINDINGS = 100
"""So many lines are named, and so many findings kept."""

_MAX_EXCERPT = 60
_ORDER = {"error": 0, "warning": 1, "note": 2}


def shorten(text: str) -> str:
    """Return a piece of the data that an answer can show."""
    return text if len(text) <= _MAX_EXCERPT else f"{text[:_MAX_EXCERPT]}…"


@dataclass(kw_only=True)
class Findings:
    """The findings of one upload, in the order in which they were made."""

    skip: bool = False
    errors: list[FieldError] = field(default_factory=list[FieldError])
    noticed: list[Finding] = field(default_factory=list[Finding])
    named_lines: list[Finding] = field(default_factory=list[Finding])
    counts: Counter[str] = field(default_factory=Counter[str])
    bad_lines: int = 0
    """How many lines cannot be used, each counted once."""

    def bad_line(
        self,
        code: str,
        detail: str,
        *,
        line: int | None,
        file: str = "file",
        column: str | None = None,
        excerpt: str | None = None,
        more: bool = False,
    ) -> None:
        """Note a line that cannot be used as it is; `more`: who calls counts the lines."""
        self.counts[code] += 1
        self.bad_lines += not more
        if len(self.named_lines) < MAX_FINDINGS:
            finding = Finding(
                level="error",
                code=code,
                detail=detail,
                line=line,
                column=column,
                file=file,
                excerpt=None if excerpt is None else shorten(excerpt),
            )
            self.named_lines.append(finding)

    def take(self, others: "Findings") -> None:
        """Add what was found elsewhere."""
        self.errors += others.errors
        self.noticed += others.noticed
        self.named_lines = [*self.named_lines, *others.named_lines][:MAX_FINDINGS]
        self.counts += others.counts
        self.bad_lines += others.bad_lines

    def error(
        self,
        pointer: str,
        code: str,
        detail: str,
        *,
        line: int | None = None,
        column: str | None = None,
    ) -> None:
        """Note what refuses the data whatever is skipped; `pointer` is the field or file."""
        self.errors.append(FieldError(pointer=pointer, detail=detail, line=line))
        self.noticed.append(
            Finding(level="error", code=code, detail=detail, line=line, column=column)
        )

    def warning(
        self,
        code: str,
        detail: str,
        *,
        line: int | None = None,
        column: str | None = None,
        excerpt: str | None = None,
        count: int = 1,
    ) -> None:
        """Note what is probably not meant so."""
        self.noticed.append(
            Finding(
                level="warning",
                code=code,
                detail=detail,
                line=line,
                column=column,
                excerpt=None if excerpt is None else shorten(excerpt),
                count=count,
            )
        )

    def note(
        self,
        code: str,
        detail: str,
        *,
        line: int | None = None,
        column: str | None = None,
        count: int = 1,
    ) -> None:
        """Note what was done or found out."""
        self.noticed.append(
            Finding(level="note", code=code, detail=detail, line=line, column=column, count=count)
        )

    def refuse(self, what: str) -> None:
        """Raise Invalid if anything found so far refuses the data; `what` they are, for people."""
        errors = [*self.errors]
        if not self.skip:
            errors += [
                FieldError(pointer=f"/{each.file}", detail=each.detail, line=each.line)
                for each in sorted(self.named_lines, key=lambda each: each.line or 0)
            ]
        if not errors:
            return
        first = errors[0]
        where = first.pointer if first.line is None else f"its line {first.line}"
        more = self.bad_lines - 1 if not self.skip and not self.errors else 0
        others = f" {more:,} more lines are wrong." if more > 0 else ""
        detail = f"The {what} cannot be read: {where} {first.detail}.{others}"
        raise Invalid(detail, errors=errors[:MAX_FINDINGS])

    def listed(self) -> list[Finding]:
        """Return the findings by importance, the first hundred."""
        found = [*self.noticed, *self.named_lines]
        if self.skip and self.named_lines:
            found = [*self.noticed, self._skipped()]
            found += [each.model_copy(update={"level": "warning"}) for each in self.named_lines]
        return sorted(found, key=lambda each: _ORDER[each.level])[:MAX_FINDINGS]

    def _skipped(self) -> Finding:
        kinds = ", ".join(f"{count:,} {code}" for code, count in self.counts.most_common())
        detail = f"{self.bad_lines:,} lines were left out because they cannot be read: {kinds}"
        lines = [each.line for each in self.named_lines if each.line is not None]
        return Finding(
            level="warning",
            code="lines_skipped",
            detail=detail,
            line=min(lines, default=None),
            count=self.bad_lines,
        )
