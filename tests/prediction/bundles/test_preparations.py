"""What a preparation from elsewhere may hold."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from pydantic import BaseModel, ValidationError

from service.prediction.bundles.preparations import PREPARATIONS


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
        (images(None, height=1024, channels=4), True),
        (images(None, height=1025), False),
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


@pytest.mark.parametrize(("length", "is_taken"), [(4096, True), (4097, False)])
def test_texts_are_no_longer_than_those_of_a_job(length: int, is_taken: bool) -> None:
    preparation: dict[str, Any] = {
        "vocabulary": ["<unk>", "<eos>"],
        "lowercase": True,
        "tokenizer": {"name": "word"},
        "classes": ["a"],
        "weights": None,
        "looked_for": None,
        "sequence_length": length,
    }
    assert is_valid("text_classification", preparation) is is_taken


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
