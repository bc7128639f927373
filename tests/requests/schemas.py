"""Values that a JSON Schema allows, and some that it does not: strategies for hypothesis.

Whole numbers are near their least, so that what comes of them is small. With `edges`, bounds are
reached and passed, and now and then a value is of another type.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from pydantic import JsonValue

Schema = Mapping[str, Any]
Values = st.SearchStrategy[Any]

MOST_OPTIONS = 4
LARGEST = 8  # of whole numbers, where their least is 0 or 1
MULTIPLES = (12, 16)
HUGE = 1e308
OTHERS: Sequence[JsonValue] = (None, True, -1, 0.5, 1e300, "", "none", [], {}, [None])


class Drawing:
    """Draws values. Free strings are `words`; `edges` says how values are to be."""

    def __init__(
        self, definitions: Mapping[str, Schema], words: Sequence[str], *, edges: bool
    ) -> None:
        self._definitions = definitions
        self._words = st.sampled_from(words)
        self._edges = edges

    def object(self, schema: Schema, *, always: Mapping[str, Values] | None = None) -> Values:
        """Draw an object: what is required and what is large by default, and some of the rest."""
        properties: Mapping[str, Schema] = schema.get("properties", {})
        required = {*schema.get("required", []), *(always or {})}
        drawn = {name: self.value(each) for name, each in properties.items()}
        drawn.update(always or {})
        given = {
            name
            for name in drawn
            if name in required or _is_large(properties.get(name, {}).get("default"))
        }
        rest = sorted({*drawn} - given)
        # At most so many of the others: where all are given, one is always wrong.
        some = (
            st.sets(st.sampled_from(rest), max_size=MOST_OPTIONS) if rest else st.just(set[str]())
        )
        return some.flatmap(
            lambda chosen: st.fixed_dictionaries(
                {name: drawn[name] for name in sorted(given | chosen)}
            )
        )

    def value(self, schema: Schema) -> Values:
        """Draw a value of a schema."""
        if not self._edges:
            return self._of(schema)
        # An eighth, or nothing that has many members would ever be right.
        return st.integers(0, 7).flatmap(
            lambda number: st.sampled_from(OTHERS) if number == 7 else self._of(schema)
        )

    def _of(self, schema: Schema) -> Values:
        if "$ref" in schema:
            schema = self._definitions[schema["$ref"].rpartition("/")[2]]
        members = schema.get("anyOf") or schema.get("oneOf")
        if members:
            return st.one_of([self._of(each) for each in members])
        choices = [schema["const"]] if "const" in schema else schema.get("enum")
        if choices:
            return st.sampled_from(choices)
        kinds: Mapping[str, Callable[[Schema], Values]] = {
            "null": lambda _: st.none(),
            "boolean": lambda _: st.booleans(),
            "integer": self._integers,
            "number": self._numbers,
            "string": lambda _: self._words,
            "array": self._arrays,
            "object": self._objects,
        }
        return kinds[schema["type"]](schema)

    def _integers(self, schema: Schema) -> Values:
        least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        most = schema.get("maximum", 2**63)
        small = st.integers(least, min(most, max(least, LARGEST)))
        small |= st.sampled_from([each for each in MULTIPLES if least <= each <= most] or [least])
        if not self._edges:
            return small
        return small | st.sampled_from([least - 1, most, most + 1])

    def _numbers(self, schema: Schema) -> Values:
        above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        least, most = schema.get("minimum", above), schema.get("maximum", below)
        within = st.floats(
            -HUGE if least is None else least,
            HUGE if most is None else most,
            exclude_min=above is not None,
            exclude_max=below is not None,
            allow_subnormal=False,
        )
        usual = [schema["default"]] if isinstance(schema.get("default"), int | float) else []
        drawn = st.sampled_from(usual) | within if usual else within
        if not self._edges:
            return drawn
        bounds = [-1.0 if least is None else float(least), HUGE if most is None else float(most)]
        return drawn | st.sampled_from([*bounds, bounds[0] - 1, 2.0 * min(bounds[1], 1e307)])

    def _arrays(self, schema: Schema) -> Values:
        if "prefixItems" in schema:
            return st.tuples(*map(self.value, schema["prefixItems"])).map(list)
        least = int(schema.get("minItems", 0))
        items = self.value(schema.get("items", {}))
        return st.lists(items, min_size=least, max_size=least + 2)

    def _objects(self, schema: Schema) -> Values:
        if "additionalProperties" not in schema or "properties" in schema:
            return self.object(schema)
        members = self.value(schema["additionalProperties"])
        return st.dictionaries(self._words, members, max_size=2)


def _is_large(default: JsonValue) -> bool:
    """Tell whether leaving an option out makes something large."""
    if isinstance(default, list):
        return any(map(_is_large, default))
    if isinstance(default, dict):
        return any(map(_is_large, default.values()))
    return isinstance(default, int) and default > LARGEST
