"""Texts with labels: a file of rows of which one column is a text and one its class."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
import polars as pl

from service.datasets import label_findings, splits
from service.datasets.base import LabelledTextData
from service.datasets.csv_format import MISSING, Layout
from service.datasets.csv_sources import (
    Sources,
    refuse_one_side,
    stored,
)
from service.datasets.findings import Findings
from service.datasets.two_files import VALIDATION, refuse_wrong_files
from service.datasets.words import tokenize
from service.domain.datasets import LabelledTextDatasetSpec, LabelledTextFacts
from service.domain.problems import known_names

MAX_CLASSES = 1000
MAX_LETTERS = 512
"""Of a label; what is longer is a text."""

_TEXTS = ("text", "message", "sentence", "question", "content", "comment", "review", "document")
_LABELS = ("label", "class", "category", "target", "sentiment", "intent", "tag", "y")
_SPLITS = {"train": False, "validation": True}


class _Read(NamedTuple):
    """The good rows."""

    texts: list[str]
    labels: list[str]
    held_out: list[bool]
    lines: list[int]


class _Chosen(NamedTuple):
    text: str
    label: str
    split: str | None


def check(
    files: Mapping[str, BinaryIO],
    spec: LabelledTextDatasetSpec,
    max_decoded_bytes: int,
    findings: Findings,
) -> LabelledTextFacts:
    """Return the facts of texts with labels. Raises Invalid for what cannot be learned from."""
    refuse_wrong_files(files, max_decoded_bytes, what="rows")
    sources = Sources(files)
    layout = sources.lay_out(spec, findings)
    chosen = _choose(sources, layout, spec, findings)
    read = _read(sources, layout, chosen, findings)
    _refuse_long_labels(read, chosen.label, findings)
    label_findings.find(read.texts, read.labels, read.lines, findings)
    findings.refuse("rows")  # classes may be missing because their lines cannot be read
    counts = Counter(read.labels)
    if not read.labels:
        findings.error("/file", "empty", "holds no row that can be read")
    elif len(counts) < 2:
        detail = "has one class only; send examples of at least two"
        findings.error("/file", "one_class", detail, column=chosen.label)
    elif len(counts) > MAX_CLASSES:
        detail = f"has {len(counts):,} classes, more than {MAX_CLASSES:,}; is this the label?"
        findings.error("/label", "too_many_classes", detail, column=chosen.label)
    findings.refuse("rows")
    classes = sorted(counts)
    _refuse_what_cannot_be_split(read, spec, VALIDATION in files, findings)
    held_out = Counter(
        label for label, held in zip(read.labels, read.held_out, strict=True) if held
    )
    words = Counter[str]()
    longest = 0
    for text in read.texts:
        tokens = tokenize(text)
        words.update(tokens)
        longest = max(longest, len(tokens))
    return LabelledTextFacts(
        format=layout.format,
        text=chosen.text,
        label=chosen.label,
        classes=classes,
        examples=len(read.labels),
        test_examples=held_out.total(),
        examples_per_class=[counts[name] - held_out[name] for name in classes],
        words=words.total(),
        distinct_words=len(words),
        longest=longest,
    )


def load(files: Mapping[str, bytes], facts: LabelledTextFacts) -> LabelledTextData:
    """Read stored texts that were checked before."""
    sources = stored(files)
    layout = sources.known_layout(facts.format)
    chosen = _Chosen(facts.text, facts.label, facts.format.split)
    read = _read(sources, layout, chosen, Findings(skip=True))
    index = {name: number for number, name in enumerate(facts.classes)}
    has_split = facts.format.split is not None or VALIDATION in files
    return LabelledTextData(
        facts=facts,
        texts=read.texts,
        labels=np.array([index[label] for label in read.labels], dtype=np.int64),
        held_out=np.array(read.held_out, dtype=np.bool_) if has_split else None,
        numbers=np.array(read.lines, dtype=np.int64),
    )


def _read(sources: Sources, layout: Layout, chosen: _Chosen, findings: Findings) -> _Read:
    read = _Read([], [], [], [])
    missing = frozenset(layout.format.missing) - frozenset(MISSING) | {""}
    blanks: list[int] = []
    for role in sources.roles:
        for part in sources.parts(role, layout, findings):
            frame = part.texts()
            trimmed = frame[chosen.label].str.strip_chars()
            blanks += [int(part.lines[row]) for row in _differ(trimmed, frame[chosen.label])]
            texts = frame[chosen.text].str.strip_chars().to_list()
            splits = [role == VALIDATION] * len(texts)
            if chosen.split is not None:
                named = frame[chosen.split].str.strip_chars().to_list()
                splits = [_SPLITS.get(name) for name in named]
            rows = zip(part.lines, texts, trimmed.to_list(), splits, strict=True)
            for line, text, label, held_out in rows:
                if text in missing:
                    _bad(findings, "empty_text", "has no text; write one", int(line), role)
                elif label in missing:
                    _bad(findings, "missing_label", "has no label; write one", int(line), role)
                elif held_out is None:
                    detail = "says neither `train` nor `validation` in the column of the split"
                    _bad(findings, "unknown_split", detail, int(line), role)
                else:
                    read.texts.append(text)
                    read.labels.append(label)
                    read.held_out.append(held_out)
                    read.lines.append(int(line))
    if blanks:
        detail = f"{len(blanks):,} labels have blanks around them, which were taken away"
        findings.warning("blank_around_label", detail, line=blanks[0], count=len(blanks))
    return read


def _refuse_what_cannot_be_split(
    read: _Read, spec: LabelledTextDatasetSpec, two_files: bool, findings: Findings
) -> None:
    """Raise Invalid where no job has texts to learn from and others to validate."""
    if len(set(read.texts)) == 1:
        findings.error("/file", "same_text", "has one text only, again and again; send others")
    elif spec.split is not None or two_files:
        refuse_one_side(len(read.texts), sum(read.held_out), spec, findings)
    elif _too_few(read):
        detail = (
            "has too few different texts to hold some out: of no class there are two; send more,"
            " or say by a split which validate"
        )
        findings.error("/file", "too_few_rows", detail)
    findings.refuse("rows")


def _too_few(read: _Read) -> bool:
    """Tell whether a split by class holds no text out; with many different ones it does."""
    enough = 2 * len(set(read.labels))
    known: set[bytes] = set()
    keys: list[bytes] = []
    for text in read.texts:
        keys.append(" ".join(tokenize(text)).encode())
        known.add(keys[-1])
        if len(known) > enough:
            return False
    numbers = {label: number for number, label in enumerate(sorted(set(read.labels)))}
    labels = np.array([numbers[label] for label in read.labels], dtype=np.int64)
    return not splits.stratified(labels, keys, splits.VALIDATION_FRACTION).any()


def _refuse_long_labels(read: _Read, column: str, findings: Findings) -> None:
    for label, line in zip(read.labels, read.lines, strict=True):
        if len(label) > MAX_LETTERS:
            detail = f"has a label of {len(label):,} letters, more than 512; is this the label?"
            findings.error("/label", "label_too_long", detail, line=line, column=column)
            findings.refuse("rows")


def _differ(trimmed: pl.Series, written: pl.Series) -> list[int]:
    return ((trimmed != written) & (trimmed != "")).arg_true().to_list()


def _bad(findings: Findings, code: str, detail: str, line: int, file: str) -> None:
    findings.bad_line(code, detail, line=line, file=file)


def _choose(
    sources: Sources, layout: Layout, spec: LabelledTextDatasetSpec, findings: Findings
) -> _Chosen:
    """Return the columns to use. Raises Invalid for names that no column has."""
    for field, name in (("text", spec.text), ("label", spec.label), ("split", spec.split)):
        if name is not None and name not in layout.columns:
            detail = f"is no column of the file; {known_names(layout.columns[:50], near=name)}"
            findings.error(f"/{field}", "unknown_column", detail)
    left = [name for name in layout.columns if name not in {spec.text, spec.label, spec.split}]
    if len(left) + (spec.text is not None) + (spec.label is not None) < 2:
        detail = "has too few columns: send one of texts and one of labels"
        findings.error("/file", "too_few_columns", detail)
    findings.refuse("rows")
    label = spec.label or _by_name(left, _LABELS)
    text = spec.text or _by_name([name for name in left if name != label], _TEXTS)
    if text is None or label is None:
        text, label = _by_content(sources, layout, left, text, label)
    if spec.text is None or spec.label is None:
        detail = f"the column {text!r} is taken as the text and {label!r} as its label"
        findings.note("columns_chosen", detail)
    return _Chosen(text, label, spec.split)


def _by_name(columns: Sequence[str], known: Sequence[str]) -> str | None:
    lower = {name.lower(): name for name in reversed(columns)}
    return next((lower[name] for name in known if name in lower), None)


def _by_content(
    sources: Sources, layout: Layout, left: Sequence[str], text: str | None, label: str | None
) -> tuple[str, str]:
    """Take as label the column with the fewest values, as text the one with the longest cells."""
    part = next(iter(sources.parts("file", layout, Findings(skip=True))), None)
    frame = pl.DataFrame(schema=dict.fromkeys(left, pl.String)) if part is None else part.texts()
    if label is None:
        label = min(
            (name for name in left if name != text), key=lambda name: frame[name].n_unique()
        )
    if text is None:
        others = [name for name in left if name != label]
        text = max(others, key=lambda name: frame[name].str.len_chars().sum())
    return text, label
