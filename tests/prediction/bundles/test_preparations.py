"""What a preparation from elsewhere may hold."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from pydantic import BaseModel, ValidationError

from service.prediction.bundles.preparations import (
    MOST_PARTS,
    MOST_VALUES,
    PREPARATIONS,
    most_brackets,
)
from service.tasks.table_features import MAX_NUMBERS


@pytest.mark.parametrize("model", PREPARATIONS.values())
def test_no_list_is_looked_at_behind_its_first_wrong_item(model: type[BaseModel]) -> None:
    found = [*lists(model.__pydantic_core_schema__)]
    assert found
    assert all(each.get("fail_fast") for each in found)


IMAGES: dict[str, Any] = {
    "shape": {"kind": "images", "channels": 3, "height": 512, "width": 512, "classes": 1},
    "classes": ["a"],
    "mean": [1.0] * 3,
    "standard_deviation": [1.0] * 3,
}


def images(sent_as: dict[str, int] | None, **shape: int) -> dict[str, Any]:
    channels = shape.get("channels", 3)
    each = {"mean": [1.0] * channels, "standard_deviation": [1.0] * channels}
    return {**IMAGES, **each, "shape": {**IMAGES["shape"], **shape}, "sent_as": sent_as}


TINY = {"channels": 1, "height": 1, "width": 1}
LARGE = {"channels": 4, "height": 1024, "width": 1024}


@pytest.mark.parametrize(
    ("preparation", "is_taken"),
    [
        (images(None, height=1024, width=1024, channels=4), True),
        (images(None, height=1025, width=1024, channels=4), False),
        (images(None, height=1, width=2000, channels=1), True),
        (images(None, height=1, width=MOST_VALUES, channels=1), True),
        (images(None, height=1, width=MOST_VALUES + 1, channels=1), False),
        (images(None, height=0), False),
        (images(None, height=-1024, width=-1024), False),
        (images({"channels": 1, "height": 1, "width": MOST_VALUES + 1}), False),
        (images({"channels": 1, "height": 1, "width": MOST_VALUES}), True),
        (images(TINY), True),
        (images(TINY, width=513), False),
        (images(TINY, channels=4), False),
        (images(LARGE, height=1024, channels=4), True),
        (images(LARGE, height=1023), False),
    ],
)
def test_images_have_sizes_that_a_job_could_have_made(
    preparation: dict[str, Any], is_taken: bool
) -> None:
    assert is_valid("image_classification", preparation) is is_taken


TEXTS: dict[str, Any] = {
    "vocabulary": ["<unk>", "<eos>"],
    "lowercase": True,
    "tokenizer": {"name": "word"},
    "classes": ["a"],
    "weights": None,
    "looked_for": None,
    "sequence_length": 8,
}


@pytest.mark.parametrize(("length", "is_taken"), [(4096, True), (4097, False)])
def test_texts_are_no_longer_than_those_of_a_job(length: int, is_taken: bool) -> None:
    preparation = {**TEXTS, "sequence_length": length}
    assert is_valid("text_classification", preparation) is is_taken


@pytest.mark.parametrize(("words", "is_taken"), [(1_000_000, True), (1_000_001, False)])
def test_a_vocabulary_is_no_larger_than_one_of_a_job(words: int, is_taken: bool) -> None:
    vocabulary = ["<unk>", "<eos>", *map(str, range(words - 2))]
    assert is_valid("text_classification", {**TEXTS, "vocabulary": vocabulary}) is is_taken


@pytest.mark.parametrize(("merges", "is_taken"), [(1_000_000, True), (1_000_001, False)])
def test_there_are_no_more_merges_than_words(merges: int, is_taken: bool) -> None:
    tokenizer = {"name": "bpe", "merges": [["", ""]] * merges}
    preparation = {**TEXTS, "vocabulary": ["<unk>", "<eos>", ""], "tokenizer": tokenizer}
    assert is_valid("text_classification", preparation) is is_taken


@pytest.mark.parametrize(("classes", "is_taken"), [(10_000, True), (10_001, False)])
def test_there_are_no_more_classes_than_a_dataset_has(classes: int, is_taken: bool) -> None:
    names = [*map(str, range(classes))]
    assert is_valid("text_classification", {**TEXTS, "classes": names}) is is_taken
    assert is_valid(
        "image_classification", {**images(None, classes=classes), "classes": names}
    ) is (is_taken)


def test_the_largest_tokenizer_has_no_more_parts_than_are_read() -> None:
    tokenizer = {"name": "bpe", "merges": [["a", "b"]] * 1_000_000}
    raw = json.dumps({**TEXTS, "vocabulary": ["a"] * 1_000_000, "tokenizer": tokenizer})
    brackets = raw.count("[") + raw.count("{")
    assert brackets <= most_brackets(PREPARATIONS["text_classification"])
    assert brackets + raw.count(",") <= MOST_PARTS


@pytest.mark.parametrize("task", ["classification", "regression", "image_classification"])
def test_what_has_no_tokenizer_has_few_lists(task: str) -> None:
    columns = 10_000
    assert 2 * columns < most_brackets(PREPARATIONS[task]) <= 100_000


@pytest.mark.parametrize(
    ("values", "one_hot", "missing", "is_taken"),
    [
        (MAX_NUMBERS - 7, True, False, True),
        (MAX_NUMBERS - 7, True, True, False),
        (MAX_NUMBERS - 6, True, False, False),
        (MAX_NUMBERS, False, True, True),
    ],
)
def test_a_row_has_no_more_numbers_than_one_of_a_job(
    values: int, one_hot: bool, missing: bool, is_taken: bool
) -> None:
    sky = {"kind": "category", "values": [*map(str, range(values))], "one_hot": one_hot}
    measured = {"mean": 1.0, "deviation": 1.0, "low": 0.0, "high": 2.0, "missing": False}
    day = {"kind": "date", "column": "day", "hours": True, **measured}
    features = [day, {**sky, "column": "sky", "missing": missing}]
    preparation = {"features": features, "target": "y", "classes": ["a"], "weights": None}
    assert is_valid("classification", preparation) is is_taken


@pytest.mark.parametrize(("columns", "is_taken"), [("ab", True), ("aa", False)])
def test_a_row_has_a_column_one_time(columns: str, is_taken: bool) -> None:
    kind = {"kind": "category", "values": ["x"], "one_hot": False, "missing": False}
    features = [{**kind, "column": column} for column in columns]
    preparation = {"features": features, "target": "y", "classes": ["a"], "weights": None}
    assert is_valid("classification", preparation) is is_taken


def is_valid(task: str, preparation: dict[str, Any]) -> bool:
    try:
        PREPARATIONS[task].model_validate_json(json.dumps(preparation))
    except ValidationError:
        return False
    return True


def lists(schema: object) -> Iterator[dict[str, Any]]:
    """Find all that a schema says of lists."""
    inner: list[object] = []
    if isinstance(schema, dict):
        fields = cast("dict[str, Any]", schema)
        if fields.get("type") == "list":
            yield fields
        inner = [*fields.values()]
    elif isinstance(schema, list | tuple):
        inner = [*cast("list[object]", schema)]
    for each in inner:
        yield from lists(each)
