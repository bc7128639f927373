"""Which names a model knows at a place in a body: read from the model's own JSON Schema.

The schema is followed along the body as it was sent, so that of a union only the chosen member's
names are told.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]
Path = tuple[str | int, ...]


def known_fields(model: type[BaseModel], path: Path, body: object) -> list[str]:
    """List the fields of the object at `path`; empty where the schema does not say."""
    names: set[str] = set()
    for schema, _ in _at(model, path, body):
        names.update(schema.get("properties", {}))
    return sorted(names)


def known_tags(model: type[BaseModel], path: Path, body: object) -> list[str]:
    """List the types that may stand at `path`; empty where there is no choice."""
    root = _schema(model)
    current: list[tuple[Schema, Any]] = [(root, body)]
    for part in path:
        current = [found for node in current for found in _step(root, node, part)]
    return sorted({tag for schema, _ in current for tag in _tags(root, schema)})


@lru_cache(maxsize=64)
def _schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema()


def _at(model: type[BaseModel], path: Path, body: object) -> list[tuple[Schema, Any]]:
    root = _schema(model)
    current: list[tuple[Schema, Any]] = [(root, body)]
    for part in path:
        current = [found for node in current for found in _step(root, node, part)]
    return [(schema, value) for node, value in current for schema in _members(root, node, value)]


def _step(root: Schema, node: tuple[Schema, Any], part: str | int) -> Iterator[tuple[Schema, Any]]:
    schema, value = node
    below = _below(value, part)
    for member in _members(root, schema, value):
        if isinstance(part, int) and "items" in member:
            yield member["items"], below
        elif part in member.get("properties", {}):
            yield member["properties"][part], below
        elif isinstance(member.get("additionalProperties"), dict):
            yield member["additionalProperties"], below


def _below(value: Any, part: str | int) -> Any:
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def _members(root: Schema, schema: Schema, value: Any) -> Iterator[Schema]:
    """Follow references and unions; of a discriminated one take what `value` chose."""
    schema = _resolve(root, schema)
    mapping = schema.get("discriminator", {}).get("mapping")
    if mapping is not None:
        tag = _below(value, schema["discriminator"]["propertyName"])
        if tag in mapping:
            yield from _members(root, {"$ref": mapping[tag]}, value)
            return
    unions = [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]
    if not unions:
        yield schema
    for member in unions:
        yield from _members(root, member, value)


def _tags(root: Schema, schema: Schema) -> Iterator[str]:
    schema = _resolve(root, schema)
    yield from schema.get("discriminator", {}).get("mapping", {})
    for member in [*schema.get("anyOf", []), *schema.get("oneOf", [])]:
        yield from _tags(root, member)


def _resolve(root: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema
