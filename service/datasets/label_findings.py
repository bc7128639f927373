"""What is odd about texts with labels that can be read: told with what to do about it."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import combinations

from service.datasets.findings import Findings

FEW_EXAMPLES = 5
"""Of a class with fewer, nothing reliable is learned, and one or none validates."""

_ALIKE = 0.85
_RARE = 0.1
_MAX_COMPARED = 200
_NO_LETTER = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d+")


def find(
    texts: Sequence[str], labels: Sequence[str], lines: Sequence[int], findings: Findings
) -> None:
    """Add what is odd to `findings`."""
    counts = Counter(labels)
    first = dict(zip(reversed(labels), reversed(lines), strict=True))
    _same_but_for_case(counts, first, findings)
    _nearly_the_same(counts, first, findings)
    for label, count in sorted(counts.items()):
        if count < FEW_EXAMPLES:
            detail = (
                f"the class {label!r} has {count} example{'s' if count > 1 else ''}: too few to"
                " learn it and to tell how well; add some, or join it with another"
            )
            findings.warning("few_examples", detail, line=first[label], excerpt=label, count=count)
    _copies(texts, labels, lines, findings)


def _same_but_for_case(
    counts: Mapping[str, int], first: Mapping[str, int], findings: Findings
) -> None:
    written: dict[str, list[str]] = defaultdict(list)
    for label in sorted(counts):
        written[_NO_LETTER.sub("", label.casefold()) or label].append(label)
    for alike in written.values():
        if len(alike) > 1:
            _tell_alike(alike, counts, first, findings)


def _nearly_the_same(
    counts: Mapping[str, int], first: Mapping[str, int], findings: Findings
) -> None:
    """Find rare labels that are nearly spelled as a frequent one; numbers may differ."""
    if len(counts) > _MAX_COMPARED:
        return
    for one, other in combinations(sorted(counts), 2):
        left, right = one.casefold(), other.casefold()
        fewer, more = sorted((counts[one], counts[other]))
        if min(len(left), len(right)) < 4 or fewer > _RARE * more:
            continue
        if _DIGITS.findall(left) != _DIGITS.findall(right):
            continue
        if _NO_LETTER.sub("", left) == _NO_LETTER.sub("", right):
            continue
        if SequenceMatcher(None, left, right).ratio() >= _ALIKE:
            _tell_alike([one, other], counts, first, findings)


def _tell_alike(
    alike: Sequence[str], counts: Mapping[str, int], first: Mapping[str, int], findings: Findings
) -> None:
    usual = max(alike, key=lambda label: counts[label])
    others = [label for label in alike if label != usual]
    shown = ", ".join(f"{label!r} ({counts[label]:,})" for label in others)
    detail = f"{shown} and {usual!r} ({counts[usual]:,}) are two classes; write them alike"
    findings.warning(
        "labels_alike",
        detail,
        line=min(first[label] for label in others),
        excerpt=others[0],
        count=sum(counts[label] for label in others),
    )


def _copies(
    texts: Sequence[str], labels: Sequence[str], lines: Sequence[int], findings: Findings
) -> None:
    """Find texts that come again, with the same label or with another."""
    known: dict[str, str] = {}
    copies: list[int] = []
    disputed: list[int] = []
    for text, label, line in zip(texts, labels, lines, strict=True):
        before = known.get(text)
        if before is None:
            known[text] = label
        else:
            (copies if before == label else disputed).append(line)
    if copies:
        detail = f"{len(copies):,} rows are copies of earlier ones; a split keeps copies together"
        findings.note("duplicate_rows", detail, line=copies[0], count=len(copies))
    if disputed:
        detail = (
            f"{len(disputed):,} texts stand there before with another label; correct them, no model"
            " can tell both"
        )
        findings.warning("disputed_label", detail, line=disputed[0], count=len(disputed))
