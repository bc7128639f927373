"""A few values for every option, out of its JSON Schema: small, so that tiny models come of them.

Each choice of an enum, both booleans, null and not null, numbers on either side of the default.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

Schema = Mapping[str, Any]
LARGEST = 8  # of the whole numbers that are sizes: a model of the default size takes too long
SMALL = (2, 4)  # powers of two: one divides the other


def options_of(schema: Schema) -> dict[str, list[JsonValue]]:
    """List for each option of an object the values to try, the plainest first."""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    definitions: Mapping[str, Schema] = schema.get("$defs", {})
    return {name: values(each, definitions) for name, each in properties.items() if name != "type"}


def values(schema: Schema, definitions: Mapping[str, Schema]) -> list[JsonValue]:
    """List the values to try of one schema."""
    if "$ref" in schema:
        schema = {**definitions[schema["$ref"].rpartition("/")[2]], **schema}
    found: list[JsonValue] = []
    if "const" in schema:
        found = [schema["const"]]
    elif "enum" in schema:
        found = list(schema["enum"])
    elif "anyOf" in schema:
        members = [_with_default_of(schema, each) for each in schema["anyOf"]]
        found = [value for each in members for value in values(each, definitions)]
    elif schema.get("type") == "null":
        found = [None]
    elif schema.get("type") == "boolean":
        found = [False, True]
    elif schema.get("type") == "integer":
        found = _integers(schema)
    elif schema.get("type") == "number":
        found = _numbers(schema)
    elif schema.get("type") == "array":
        found = _arrays(schema, definitions)
    elif schema.get("type") == "object":
        found = _objects({**schema, "$defs": definitions})
    if "default" in schema and _is_small(schema["default"]):
        found.insert(0, schema["default"])
    return _distinct(found)


def _with_default_of(schema: Schema, member: Schema) -> Schema:
    """Hand a number that is the default on to the member of a union that it is one of."""
    if member.get("type") == "number" and isinstance(schema.get("default"), float):
        return {**member, "default": schema["default"]}
    return member


def _integers(schema: Schema) -> list[JsonValue]:
    found: list[JsonValue] = [number for number in SMALL if _fits(number, schema)]
    return found + [0] * (schema.get("minimum") == 0) or [_least(schema)]


def _numbers(schema: Schema) -> list[JsonValue]:
    default = schema.get("default")
    tried = (2 * default, default / 2) if default else (0.25, 0.5)
    found: list[JsonValue] = [number for number in tried if _fits(number, schema)][:1]
    return found + [0.0] * (schema.get("minimum") == 0)


def _arrays(schema: Schema, definitions: Mapping[str, Schema]) -> list[JsonValue]:
    """Halve fixed numbers; make other lists empty, of each one thing, and of two."""
    if "prefixItems" in schema:
        halved: list[JsonValue] = [number / 2 for number in schema.get("default", [])]
        return [halved] if halved else []
    items = values(schema.get("items", {}), definitions)
    lists: list[list[JsonValue]] = [[], *([item] for item in items), items[:2]]
    least = int(schema.get("minItems", 0))
    return [each for each in lists if len(each) >= least]


def _objects(schema: Schema) -> list[JsonValue]:
    """Make as many objects as the option with most values has, so that each value is in one."""
    options = options_of(schema)
    count = max(map(len, options.values()), default=1)
    return [
        {name: tried[number % len(tried)] for name, tried in options.items() if tried}
        for number in range(count)
    ]


def _fits(number: float, schema: Schema) -> bool:
    within = schema.get("minimum", number) <= number <= schema.get("maximum", number)
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    return within and (above is None or above < number) and (below is None or number < below)


def _least(schema: Schema) -> int:
    return int(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))


def _is_small(value: JsonValue) -> bool:
    """Tell whether a default makes nothing large."""
    if isinstance(value, list):
        return all(map(_is_small, value))
    if isinstance(value, dict):
        return all(map(_is_small, value.values()))
    return not isinstance(value, int) or value <= LARGEST


def _distinct(found: Sequence[JsonValue]) -> list[JsonValue]:
    """Keep the first of equal values; 0 and False are not equal here."""
    kept: dict[str, JsonValue] = {repr(value): value for value in reversed(found)}
    return list(reversed(kept.values()))
