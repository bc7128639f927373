"""From what pydantic says about wrong input to problems a client can act on.

One error per wrong field; pointers lead through the body as it was sent, without pydantic's own
tags of unions; details say what to do and never repeat the input.
"""

import json
import math
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar, cast

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import ErrorDetails, from_json

from service.domain.problems import FieldError, Invalid, Malformed, known_names, pointer_to
from service.domain.schema_walk import known_fields, known_tags

ModelT = TypeVar("ModelT", bound=BaseModel)
Location = tuple[str | int, ...]

MAX_MEMBERS = 20_000
"""Fields and items that a body may have altogether, but in fields of `free_fields`: a wrong one
costs a kilobyte and the time to explain it, and millions fit into a body."""

_MAX_ERRORS = 100
_MAX_EXPLAINED = 1000
_MAX_POINTER = 300
_POSITION = re.compile(r" at line (\d+) column (\d+)$")
_EXPONENT = re.compile(rb"[eE]\+?\d{3}")
_LONG_IN_TENTHS = re.compile(rb"\d{29}")
_QUOTED = re.compile(r"'([^']*)'")
_SHAPES = {
    "int": "a whole number",
    "float": "a number",
    "string": "a string",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": "an object",
    "model": "an object",
    "model_attributes": "an object",
    "bytes": "bytes",
}
_PLAIN = {
    "finite_number": "must be a finite number, not NaN or infinity",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number",
    "none_required": "must be null",
}
_BOUNDS = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}
_LENGTHS = {
    "string_too_short": ("min_length", "must have at least {} characters"),
    "string_too_long": ("max_length", "must have at most {} characters"),
    "too_short": ("min_length", "must have at least {} items"),
    "too_long": ("max_length", "must have at most {} items"),
}


class MalformedJson(Malformed):
    """The body is no JSON."""

    code = "malformed_json"
    title = "The body is no JSON"

    def __init__(self, reason: str, *, line: int | None, column: int | None) -> None:
        where = f" at line {line}, column {column}" if line else ""
        super().__init__(
            f"The body is no JSON{where}: {reason}. Send one JSON value in UTF-8.",
            line=line,
            column=column,
        )


def parse(model: type[ModelT], raw: bytes) -> ModelT:
    """Read a JSON body as `model`. Raises MalformedJson, or Invalid with every wrong field."""
    try:
        # Non-finite numbers would slip through fields of any type; JSON (RFC 8259) has none.
        body: object = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise _unreadable(raw, str(error)) from None
    if _may_be_huge(raw) and (found := _first(_forbidden(body))):
        raise invalid_fields(found)
    refuse_crowds(model, body)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise to_invalid(error, body, model=model) from None


def plain_json(raw: bytes) -> JsonValue:
    """Read JSON that holds nothing forbidden; None where it takes a closer look (`parse`)."""
    try:
        body: JsonValue = from_json(raw, allow_inf_nan=False)
    except ValueError:
        return None
    return None if _may_be_huge(raw) else body


def _may_be_huge(raw: bytes) -> bool:
    """Tell whether a number could be beyond what a float holds: 1e999 reads as infinity.

    Every tenth byte shows a run of 300 digits just as well, and bodies of pixels are long.
    """
    exponent = (b"e" in raw or b"E" in raw) and _EXPONENT.search(raw)
    return bool(exponent or _LONG_IN_TENTHS.search(raw[::10]))


def to_invalid(
    error: ValidationError,
    body: object | None,
    *,
    prefix: str = "",
    model: type[BaseModel] | None = None,
) -> Invalid:
    """Make one problem of all that pydantic found in `body`.

    Pointers begin with `prefix`. With `model`, what was validated against, unknown fields and types
    are answered with the nearest known name.
    """
    found: dict[str, str] = {}
    for wrong in error.errors(include_url=False)[:_MAX_EXPLAINED]:
        path = strip_tags(wrong["loc"], body, wrong["input"], missing=wrong["type"] == "missing")
        path, detail = _explain(wrong, path, body, model)
        found.setdefault(prefix + _pointer(path), detail)
    return invalid_fields(found)


def invalid_fields(found: dict[str, str]) -> Invalid:
    """Make one problem of several wrong fields: pointer → what to do."""
    errors = [FieldError(pointer=pointer, detail=detail) for pointer, detail in found.items()]
    if len(errors) == 1:
        first = errors[0]
        summary = f"One field is wrong: {first.pointer or 'the body'} {first.detail}."
    else:
        names = ", ".join(error.pointer or "the body" for error in errors[:5])
        more = ", …" if len(errors) > 5 else ""
        count = f"{len(errors)}" if len(errors) < _MAX_EXPLAINED else "Very many"
        summary = f"{count} fields are wrong: {names}{more}. `errors` says what each needs."
    return Invalid(summary, errors=errors[:_MAX_ERRORS])


@contextmanager
def below(prefix: str) -> Generator[None]:
    """Let the pointers of what is found wrong inside begin with `prefix`."""
    try:
        yield
    except Invalid as wrong:
        found = {prefix + error.pointer: error.detail for error in wrong.errors}
        raise invalid_fields(found) from None


def strip_tags(
    location: Location, body: object, given: object = None, *, missing: bool = False
) -> Location:
    """Keep those parts of pydantic's location that lead through the body.

    `given` is the wrong value: it decides where a tag of a union is also the name of a field.
    """
    if missing:
        return (*strip_tags(location[:-1], body, given), location[-1])
    paths = list(_paths(location, body))
    exact = [path for path in paths if value_at(body, path) == given]
    return next(iter(exact or paths), location)


def _paths(location: Location, body: object) -> Iterator[Location]:
    """Find the paths through `body`, those that use most parts of the location first."""
    if not location:
        yield ()
        return
    part, rest = location[0], location[1:]
    if _has(body, part):
        for deeper in _paths(rest, value_at(body, (part,))):
            yield (part, *deeper)
    if isinstance(part, str):  # a tag of a union, or the label of a validator: no part of the body
        yield from _paths(rest, body)


def value_at(body: object, path: Location) -> Any:
    """Return what lies at `path`, or None."""
    current: Any = body
    for part in path:
        if not _has(current, part):
            return None
        current = current[part]
    return current


def _has(body: Any, part: str | int) -> bool:
    if isinstance(body, dict):
        return part in body
    return isinstance(body, list) and isinstance(part, int) and part < len(body)  # pyright: ignore[reportUnknownArgumentType]


def _explain(
    wrong: ErrorDetails, path: Location, body: object, model: type[BaseModel] | None
) -> tuple[Location, str]:
    """Say in plain English what the field needs; a wrong `type` is pointed at itself."""
    kind = wrong["type"]
    context = wrong.get("ctx", {})
    if kind == "missing":
        return path, "is required"
    if kind == "extra_forbidden":
        fields = known_fields(model, path[:-1], body) if model else []
        names = known_names(fields, near=str(path[-1])) if fields else "remove it"
        return path, f"is no field of this object; {names}"
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _explain_tag(wrong, path, body, model)
    if kind == "literal_error":
        choices = _QUOTED.findall(str(context.get("expected", "")))
        if isinstance(wrong["input"], str) and len(choices) > 1:
            return path, f"is none of the choices; {known_names(choices, near=wrong['input'])}"
    return path, describe(wrong)


def _explain_tag(
    wrong: ErrorDetails, path: Location, body: object, model: type[BaseModel] | None
) -> tuple[Location, str]:
    context = wrong.get("ctx", {})
    discriminator = str(context.get("discriminator", "type")).strip("'")
    given = value_at(body, path)
    if isinstance(given, dict):
        path = (*path, discriminator)
    tags = _QUOTED.findall(str(context.get("expected_tags", "")))
    if wrong["type"] == "union_tag_not_found":
        tags = known_tags(model, path[:-1], body) if model else []
        return path, f"is required{'; known: ' + ', '.join(tags) if tags else ''}"
    return path, f"is no known type; {known_names(tags, near=str(context['tag']))}"


def describe(wrong: ErrorDetails) -> str:
    """Say in plain English what a wrong value needs."""
    kind, context = wrong["type"], wrong.get("ctx", {})
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return (
            f"{words} {context[key]:g}"
            if isinstance(context[key], float)
            else f"{words} {context[key]}"
        )
    if kind in _LENGTHS:
        key, words = _LENGTHS[kind]
        return words.format(context[key])
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in {"literal_error", "value_error"}:
        said = str(context.get("error", wrong["msg"]))
        return said if kind == "value_error" else f"must be {context.get('expected')}"
    if kind.removesuffix("_type") in _SHAPES:
        return _must_be(kind.removesuffix("_type"), wrong["input"])
    message = wrong["msg"]
    return message[:1].lower() + message[1:]


def _must_be(shape: str, given: object) -> str:
    words = f"must be {_SHAPES[shape]}"
    if shape in {"int", "float"}:
        if isinstance(given, str):
            return f"{words}, written without quotes"
        if isinstance(given, bool):
            return f"{words}; true and false are none"
    return f"{words}, not null" if given is None else words


def _unreadable(raw: bytes, reason: str) -> MalformedJson | Invalid:
    """Tell text that is no JSON from JSON that holds what no field may hold."""
    try:
        body = json.loads(raw)  # takes NaN and lone surrogates, so that they can be pointed at
    except (ValueError, RecursionError):
        body = None
    found = _first(_forbidden(body))
    if found:
        return invalid_fields(found)
    position = _POSITION.search(reason)
    line, column = (int(position[1]), int(position[2])) if position else (None, None)
    return MalformedJson(_POSITION.sub("", reason), line=line, column=column)


def _forbidden(body: Any) -> Iterator[tuple[str, str]]:
    """Find numbers and strings that no field may hold. No recursion: a body is deeper than that."""
    unread: list[Iterator[tuple[Location, Any]]] = [iter([((), body)])]
    while unread:
        place = next(unread[-1], None)
        if place is None:
            unread.pop()
            continue
        path, value = place
        if isinstance(value, float) and not math.isfinite(value):
            yield _pointer(path), "must be a finite number, not NaN or infinity"
        elif isinstance(value, str) and value != _printable(value):
            detail = "holds a lone surrogate, which is no character; send valid Unicode"
            yield _pointer(path), detail
        elif isinstance(value, dict | list):
            unread.append(_inside(value, path))


def _first(found: Iterator[tuple[str, str]]) -> dict[str, str]:
    return dict(islice(found, _MAX_EXPLAINED))


def _inside(value: Any, path: Location) -> Iterator[tuple[Location, Any]]:
    """Go through an object, its keys too, or a list."""
    if isinstance(value, dict):
        for key, member in cast("dict[str, JsonValue]", value).items():
            yield (*path, key), key
            yield (*path, key), member
    else:
        for index, item in enumerate(value):
            yield (*path, index), item


def refuse_crowds(model: type[BaseModel], body: object) -> None:
    """Raise Invalid for a body with more members than a validator should be given."""
    free: frozenset[str] = getattr(model, "free_fields", frozenset[str]())
    members = cast("dict[str, JsonValue]", body) if isinstance(body, dict) else {"": body}
    count = len(members)
    pointer = ""
    for name, member in members.items():
        if count > MAX_MEMBERS:
            break
        if name not in free:
            count += _members(member, at_most=MAX_MEMBERS)
            pointer = _pointer((name,)) if members is body else ""
    if count > MAX_MEMBERS:
        raise invalid_fields({pointer: f"has too many members; a body has at most {MAX_MEMBERS:,}"})


def _members(value: object, *, at_most: int) -> int:
    """Count what is in `value`, at any depth, until it is more than `at_most`."""
    left: list[Any] = [value]
    count = 0
    while left and count <= at_most:
        inner: Any = left.pop()
        if isinstance(inner, dict | list):
            count += len(cast("list[Any]", inner))
            left += cast("dict[str, Any]", inner).values() if isinstance(inner, dict) else inner
    return count


def _pointer(path: Location) -> str:
    """Write a pointer for an answer; one that is endless, because the input is, is cut."""
    pointer = _printable(pointer_to(path))
    return pointer if len(pointer) <= _MAX_POINTER else f"{pointer[:_MAX_POINTER]}…"


def _printable(text: str) -> str:
    """Replace lone surrogates: an answer in UTF-8 cannot carry them."""
    return text.encode("utf-8", "replace").decode("utf-8")
