"""The first rows of a dataset; of pictures some of every class."""

import math

from pydantic import JsonValue

from service.datasets import contact_sheet, registry
from service.datasets.base import LabelledTextData, TableData, TextData
from service.datasets.examples import Pictures, of_every_class, some_pictures
from service.domain.datasets import DatasetFacts, ImageFacts
from service.domain.looking import DatasetPreview
from service.domain.ports import BlobSource

MAX_ROWS = 100
LOOKED_THROUGH = 500
"""So many pictures, from everywhere, are looked through for some of every class."""

_MAX_TEXT = 2000


def preview(facts: DatasetFacts, source: BlobSource, rows: int) -> DatasetPreview:
    """Return some examples as JSON."""
    known = facts.facts
    if isinstance(known, ImageFacts):
        chosen = choose(facts, source, rows)
        listed: list[dict[str, JsonValue]] = [
            {"index": place, "class": label, "label": known.classes[label]}
            for place, label in zip(chosen.places, chosen.labels.tolist(), strict=True)
        ]
        total = known.examples + known.test_examples
    else:
        data = registry.load(facts, source)
        if isinstance(data, TextData):
            total = data.facts.lines
            listed = [{"text": _short(line)} for line in data.lines[:rows]]
        elif isinstance(data, LabelledTextData):
            pairs = zip(data.texts[:rows], data.labels[:rows].tolist(), strict=True)
            classes, total = data.facts.classes, data.facts.examples
            listed = [{"text": _short(text), "label": classes[label]} for text, label in pairs]
        elif isinstance(data, TableData):
            total = data.facts.rows
            listed = [_row(data, number) for number in range(min(rows, total))]
        else:
            raise TypeError
    return DatasetPreview(name=facts.name, type=known.type, rows=listed, total=total)


def sheet(facts: DatasetFacts, source: BlobSource, rows: int) -> bytes:
    """Return the pictures of the same rows as a PNG."""
    known = facts.facts
    if not isinstance(known, ImageFacts):
        raise TypeError
    chosen = choose(facts, source, rows)
    return contact_sheet.draw(list(chosen.images), chosen.labels.tolist(), known.classes)


def choose(facts: DatasetFacts, source: BlobSource, rows: int) -> Pictures:
    """Choose pictures, some of every class."""
    some = some_pictures(facts, source, LOOKED_THROUGH)
    places = of_every_class(some.labels.tolist(), rows)
    return Pictures(
        some.images[places], some.labels[places], [some.places[place] for place in places]
    )


def _row(data: TableData, number: int) -> dict[str, JsonValue]:
    row: dict[str, JsonValue] = {}
    for name, values in data.columns.items():
        value = values[number]
        if isinstance(value, str):
            row[name] = _short(value)
        else:
            row[name] = None if value is None or math.isnan(value) else float(value)
    return row


def _short(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
