"""What can be counted and measured of a dataset, in bounded time: of many examples a part is looked
at, evenly from everywhere; of a text its beginning.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.datasets import registry, splits
from service.datasets.base import LabelledTextData, TableData, TextData
from service.datasets.examples import some_pictures, spread
from service.datasets.pixels import count_values
from service.datasets.words import Corpus, tokenize
from service.domain.datasets import Column, Dataset, DatasetFacts, ImageFacts
from service.domain.looking import (
    Bar,
    ChannelStatistics,
    ClassCount,
    ColumnStatistics,
    Coverage,
    DatasetStatistics,
    ValueCount,
    VocabularyStatistics,
)
from service.domain.ports import BlobSource

MAX_TEXTS = 100_000
MAX_CHARACTERS = 20_000_000
MAX_PICTURES = 2_000
BARS = 20
SHOWN_VALUES = 20
QUANTILES = (0, 5, 25, 50, 75, 95, 100)


def statistics(dataset: Dataset, facts: DatasetFacts, source: BlobSource) -> DatasetStatistics:
    """Look through a dataset."""
    if isinstance(facts.facts, ImageFacts):
        measured = _of_pictures(facts, facts.facts, source)
    else:
        data = registry.load(facts, source)
        if isinstance(data, TextData):
            measured = _of_text(data)
        elif isinstance(data, LabelledTextData):
            measured = _of_labelled_texts(data)
        elif isinstance(data, TableData):
            measured = _of_table(data)
        else:
            raise TypeError
    return DatasetStatistics(
        name=dataset.name,
        type=dataset.type,
        sha256=dataset.sha256,
        source=dataset.source,
        licence=dataset.licence,
        **measured,
    )


def _of_text(data: TextData) -> dict[str, Any]:
    lines = _beginning(data.lines)
    tested = data.test_lines
    corpus = Corpus.of([*lines, *_beginning(tested or ())])
    trained = splits.training_words(
        corpus,
        data.facts.sequences,
        splits.VALIDATION_FRACTION,
        trained=None if tested is None else len(lines),
    )
    return {
        "examples": data.facts.lines + data.facts.test_lines,
        "examined": corpus.lines,
        "lengths": histogram(np.diff(corpus.starts)),
        "vocabulary": vocabulary(corpus, trained),
    }


def _of_labelled_texts(data: LabelledTextData) -> dict[str, Any]:
    places = spread(len(data.texts), MAX_TEXTS)
    while places and sum(len(data.texts[place]) for place in places) > MAX_CHARACTERS:
        places = places[::2]
    tokens = [tokenize(data.texts[place]) for place in places]
    lengths = np.array([len(each) for each in tokens], dtype=np.int64)
    corpus = Corpus.of([data.texts[place] for place in places])
    held_out = data.held_out
    if held_out is None:
        keys = [text.encode() for text in data.texts]
        if len(places) == len(keys):  # as the task does it; of many texts only those that are equal
            keys = [sha256(" ".join(each).encode()).digest() for each in tokens]
        held_out = splits.stratified(data.labels, keys, splits.VALIDATION_FRACTION)
    return {
        "examples": len(data.texts),
        "examined": len(places),
        "classes": _classes(data.facts.classes, data.labels, held_out),
        "lengths": histogram(lengths),
        "vocabulary": vocabulary(corpus, np.repeat(~held_out[places], lengths)),
    }


def _of_pictures(facts: DatasetFacts, known: ImageFacts, source: BlobSource) -> dict[str, Any]:
    some = some_pictures(facts, source, MAX_PICTURES)
    classes: list[ClassCount] = []
    tested = known.test_examples_per_class or [0] * len(known.classes)
    counted = zip(known.classes, known.examples_per_class, tested, strict=True)
    for label, count, test in counted:
        held = 0 if known.test_examples else splits.held_out(count, splits.VALIDATION_FRACTION)
        classes.append(ClassCount(label=label, training=count - held, validation=held + test))
    values = np.arange(256, dtype=np.float64)
    channels: list[ChannelStatistics] = []
    for counts in count_values(some.images):
        mean = float(np.average(values, weights=counts))
        variance = float(np.average((values - mean) ** 2, weights=counts))
        channels.append(ChannelStatistics(mean=mean, deviation=variance**0.5))
    return {
        "examples": known.examples + known.test_examples,
        "examined": len(some.images),
        "classes": classes,
        "pixels": channels,
    }


def _of_table(data: TableData) -> dict[str, Any]:
    target = data.columns.get(data.facts.target)
    numbers = target if isinstance(target, np.ndarray) else None
    columns = [_column(each, data.columns[each.name], numbers) for each in data.facts.columns]
    rows = data.facts.rows
    return {
        "examples": rows,
        "examined": rows,
        "target": data.facts.target,
        "columns": columns,
    }


def _column(
    known: Column,
    values: NDArray[np.float64] | list[str | None],
    target: NDArray[np.float64] | None,
) -> ColumnStatistics:
    told = ColumnStatistics(
        name=known.name,
        kind=known.kind,
        unit=known.unit,
        missing=known.missing,
        distinct=known.distinct,
    )
    if not isinstance(values, np.ndarray):
        if known.kind != "category":
            return told
        counts = Counter(value for value in values if value is not None)
        ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:SHOWN_VALUES]
        shown = [ValueCount(value=value, count=count) for value, count in ordered]
        return told.model_copy(update={"values": shown})
    there = values[np.isfinite(values)]
    if not there.size:
        return told
    quantiles = np.percentile(there, QUANTILES)
    update = {
        "mean": float(there.mean()),
        "deviation": float(there.std()),
        "quantiles": {
            str(percent): float(each) for percent, each in zip(QUANTILES, quantiles, strict=True)
        },
        "correlation": None if target is None else correlation(values, target),
    }
    return told.model_copy(update=update)


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """Return Pearson's, over the rows that have both; None where one does not vary."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 2:
        return None
    first, second = one[both] - one[both].mean(), other[both] - other[both].mean()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        scale = float(np.sqrt((first**2).sum()) * np.sqrt((second**2).sum()))
        value = float((first * second).sum()) / scale if scale > 0 else float("nan")
    return float(np.clip(value, -1, 1)) if np.isfinite(value) else None


def vocabulary(corpus: Corpus, trained: NDArray[np.bool_]) -> VocabularyStatistics:
    """Count the words of a corpus; `trained` marks those that are not held out."""
    counts = corpus.counts(corpus.ids)
    order = np.lexsort((np.arange(len(counts)), -counts))
    sums: NDArray[np.int64] = np.cumsum(counts[order])
    total = int(counts.sum())
    sizes = [10**power for power in range(1, 8) if 10**power < len(counts)]
    seen = corpus.counts(corpus.ids[trained]) > 0
    held_out = corpus.ids[~trained]
    return VocabularyStatistics(
        words=total,
        distinct=len(counts),
        once=int((counts == 1).sum()),
        coverage=[
            Coverage(words=size, share=float(sums[size - 1] / total))
            for size in [*sizes, len(counts)]
            if total
        ],
        most_frequent=[corpus.words[place] for place in order[:SHOWN_VALUES].tolist()],
        unknown_in_validation=float((~seen[held_out]).mean()) if len(held_out) else None,
    )


def histogram(lengths: NDArray[np.int64]) -> list[Bar]:
    """Count lengths in at most twenty bars of equal width, from the least to the greatest."""
    if not len(lengths):
        return []
    low, high = int(lengths.min()), int(lengths.max())
    width = (high - low) // BARS + 1
    counts = np.bincount((lengths - low) // width)
    return [
        Bar(low=low + bar * width, high=low + (bar + 1) * width - 1, count=count)
        for bar, count in enumerate(counts.tolist())
    ]


def _classes(
    classes: Sequence[str], labels: NDArray[np.int64], held_out: NDArray[np.bool_]
) -> list[ClassCount]:
    training = np.bincount(labels[~held_out], minlength=len(classes)).tolist()
    validation = np.bincount(labels[held_out], minlength=len(classes)).tolist()
    return [
        ClassCount(label=label, training=one, validation=other)
        for label, one, other in zip(classes, training, validation, strict=True)
    ]


def _beginning(lines: Sequence[str]) -> list[str]:
    """Return the first lines, up to a number of characters."""
    characters, kept = 0, 0
    for line in lines[:MAX_TEXTS]:
        characters += len(line)
        kept += 1
        if characters > MAX_CHARACTERS:
            break
    return list(lines[:kept])
