"""The files of an upload of rows: what they are called, how they are read, and read again."""

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import BinaryIO

from service.datasets import csv_format, csv_rows, encodings
from service.datasets.csv_format import Layout
from service.datasets.csv_rows import Part
from service.datasets.findings import Findings
from service.datasets.two_files import ROLES, TRAINING, VALIDATION
from service.domain.datasets import CsvDatasetSpec, CsvFormat

_SAMPLE_BYTES = 1 << 18


class Sources:
    """Where the rows stand. Each file is read from where it stood at first, as often as needed."""

    def __init__(self, files: Mapping[str, BinaryIO]) -> None:
        self._files = {role: (content, content.tell()) for role, content in files.items()}

    @property
    def roles(self) -> list[str]:
        """Name the files, the one to learn from first."""
        return [role for role in ROLES if role in self._files]

    def opened(self, role: str) -> BinaryIO:
        """Return a file at its beginning."""
        content, beginning = self._files[role]
        content.seek(beginning)
        return content

    def lay_out(self, spec: CsvDatasetSpec, findings: Findings) -> Layout:
        """Find out how the rows are written. Raises Invalid if that is hopeless."""
        encoding = spec.encoding or encodings.detect(self.opened(TRAINING))
        sample = self._beginning(TRAINING, encoding)
        if not sample.strip():
            findings.error("/file", "empty", "is empty: it holds no row; send rows to learn from")
        layout = csv_format.lay_out(sample, encoding, spec, findings)
        if VALIDATION in self._files and layout.format.header:
            self._refuse_other_columns(layout, findings)
        findings.refuse("rows")
        if spec.quoting is None and layout.format.quoting and self._has_quotes():
            return self._with_quotes_that_pair(layout, findings)
        return layout

    def _refuse_other_columns(self, layout: Layout, findings: Findings) -> None:
        sample = self._beginning(VALIDATION, layout.format.encoding)
        if csv_format.named(layout.format, sample).columns != layout.columns:
            detail = "must have the columns of the file to learn from, in the same order"
            findings.error(f"/{VALIDATION}", "other_columns", detail, line=1)

    def _with_quotes_that_pair(self, layout: Layout, findings: Findings) -> Layout:
        """Take quotes as ordinary characters if only so the whole file can be read better."""
        marked = self._bad_lines(layout)
        if not marked.counts["unclosed_quote"]:
            return layout
        plain = Layout(layout.format.model_copy(update={"quoting": False}), layout.columns)
        if self._bad_lines(plain).bad_lines >= marked.bad_lines:
            return layout
        line = marked.named_lines[0].line
        detail = "double quotes do not pair, so they are taken as ordinary characters"
        findings.note("quotes_are_text", detail, line=line, count=marked.counts["unclosed_quote"])
        return plain

    def _has_quotes(self) -> bool:
        for role in self.roles:
            content = self.opened(role)
            while piece := content.read(encodings.PIECE_BYTES):
                if b'"' in piece:
                    return True
        return False

    def _bad_lines(self, layout: Layout) -> Findings:
        found = Findings()
        for role in self.roles:
            for _ in self.parts(role, layout, found):
                pass
        return found

    def known_layout(self, layout: CsvFormat) -> Layout:
        """Return how checked files are read; only the names of the columns are read anew."""
        return csv_format.named(layout, self._beginning(TRAINING, layout.encoding))

    def parts(self, role: str, layout: Layout, findings: Findings) -> Iterator[Part]:
        """Read the rows of a file."""
        return csv_rows.parts(self.opened(role), layout, findings, file=role)

    def _beginning(self, role: str, encoding: encodings.Encoding) -> str:
        """Return the first whole lines as text."""
        content = BytesIO(self.opened(role).read(_SAMPLE_BYTES))
        unread = Findings(skip=True)
        text = b"".join(each.text for each in encodings.pieces(content, encoding, unread))
        end = text.rfind(b"\n") + 1
        whole = len(content.getvalue()) < _SAMPLE_BYTES or not end
        return (text if whole else text[:end]).decode()


def refuse_one_side(rows: int, held_out: int, spec: CsvDatasetSpec, findings: Findings) -> None:
    """Note that a split that the data bring leaves a side without a row."""
    if 0 < held_out < rows:
        return
    side = "validate" if not held_out else "learn from"
    detail = f"leaves no row to {side}; give each side some, or leave the split to the job"
    pointer = "/split" if spec.split is not None else f"/{VALIDATION if not held_out else TRAINING}"
    findings.error(pointer, "one_side", detail)


def stored(files: Mapping[str, bytes]) -> Sources:
    """Return stored files as they were checked."""
    return Sources({role: BytesIO(content) for role, content in files.items()})
