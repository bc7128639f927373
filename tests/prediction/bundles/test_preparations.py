"""What a preparation from elsewhere may hold."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from pydantic import BaseModel

from service.prediction.bundles.preparations import PREPARATIONS


@pytest.mark.parametrize("model", PREPARATIONS.values())
def test_no_list_is_looked_at_behind_its_first_wrong_item(model: type[BaseModel]) -> None:
    found = [*lists(model.__pydantic_core_schema__)]
    assert found
    assert all(each.get("fail_fast") for each in found)


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
