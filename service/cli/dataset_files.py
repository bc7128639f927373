"""What files are, guessed from their names and first lines: the type of a dataset and its parts."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROWS = {".csv", ".tsv", ".tab"}
_SAMPLE_BYTES = 1 << 16
_HELD_OUT = re.compile(r"(^|[^a-z])(test|t10k|val|valid|validation)([^a-z]|$)")
_LABELS = re.compile(r"label|idx1")
_ENCODINGS = ("utf-8-sig", "cp949")
_MOST_COLUMNS, _FEWEST_WORDS = 4, 2
"""Of labelled texts; the words on average, in the column that has most."""


class Guess(NamedTuple):
    """The type of a dataset, and the part that each file is."""

    type: str
    files: dict[str, Path]


def guess(files: Sequence[Path], given_type: str | None = None) -> Guess | None:
    """Tell what files are, or what parts they have where the type is given.

    None where their names do not say.
    """
    kind = given_type or _type_of(files)
    if kind is None:
        return None
    parts: dict[str, Path] = {}
    for file in files:
        parts.setdefault(_role(file, kind, alone=len(files) == 1), file)
    return Guess(kind, parts) if len(parts) == len(files) else None


def name_of(file: Path) -> str:
    """Make a name for a dataset of a file's."""
    stem = file.name.split(".")[0]
    return re.sub(r"[^\w.-]+", "-", stem).strip("-_.") or "data"


def _type_of(files: Sequence[Path]) -> str | None:
    suffixes = {_suffix(file) for file in files}
    if suffixes == {".zip"}:
        return "image_folder"
    if suffixes <= ROWS:
        return "labelled_text" if _is_spoken(files[0]) else "table"
    if all("ubyte" in file.name or ".idx" in file.name or "-idx" in file.name for file in files):
        return "idx"
    return "text" if len(files) <= 2 else None  # one may validate


def _role(file: Path, kind: str, *, alone: bool) -> str:
    name = file.name.lower()
    held_out = bool(_HELD_OUT.search(name))
    if kind == "idx":
        what = "labels" if _LABELS.search(name) else "images"
        return f"test_{what}" if held_out else what
    return "validation_file" if held_out and not alone else "file"


def _suffix(file: Path) -> str:
    return file.suffix.lower()


def _is_spoken(file: Path) -> bool:
    """Tell texts with labels from other rows: few columns, one of them of several words."""
    with file.open("rb") as opened:
        raw = opened.read(_SAMPLE_BYTES)
    lines = _decoded(raw).splitlines()[:-1] or _decoded(raw).splitlines()
    delimiter = max(",\t;|", key=lambda each: sum(each in line for line in lines[:20]))
    rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    if not rows or len(rows[0]) > _MOST_COLUMNS:
        return False
    width = len(rows[0])
    longest = max(
        sum(len(row[column].split()) for row in rows if len(row) == width) / len(rows)
        for column in range(width)
    )
    return longest >= _FEWEST_WORDS


def _decoded(raw: bytes) -> str:
    for encoding in _ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            if error.start > len(raw) - 4:  # a character that the sample cuts
                return raw[: error.start].decode(encoding)
    return raw.decode("latin-1")
