"""Unknown query parameters on `/v1` are refused: a misspelt filter must not look like an answer."""

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError

from service.domain import validation
from service.domain.problems import Malformed, known_names
from service.domain.text import ShortText

FREE_PREFIXES = {"/v1/jobs": "metadata."}
"""Paths that take parameters of any name behind a prefix."""

_FREE = TypeAdapter(dict[ShortText, ShortText])


class UnknownParameter(Malformed):
    """The path does not know this query parameter."""

    code = "unknown_parameter"
    title = "Unknown query parameter"

    def __init__(self, name: str, known: list[str]) -> None:
        hint = known_names(known, near=name) if known else "this path takes none"
        super().__init__(f"A query parameter is not known here; {hint}.")


async def refuse_unknown_parameters(request: Request) -> None:
    """Dependency of every `/v1` path: what is not documented is not taken."""
    if not request.query_params:
        return
    route: APIRoute = request.scope["route"]
    # Not of the document: to write it takes a second, and all other requests would wait for it.
    known = sorted(set(_names_of(route.dependant)))
    free = FREE_PREFIXES.get(route.path_format)
    for name in request.query_params:
        if name not in known and not (free and name.startswith(free)):
            raise UnknownParameter(name, known)


def free_parameters(request: Request, prefix: str) -> dict[str, str]:
    """Read the parameters behind `prefix`, without it. Raises Invalid for what is no text."""
    given = {name: value for name, value in request.query_params.items() if name.startswith(prefix)}
    try:
        checked = _FREE.validate_python(given)
    except ValidationError as error:
        raise validation.to_invalid(error, given, prefix="/query") from None
    return {name.removeprefix(prefix): value for name, value in checked.items()}


def _names_of(handler: Dependant) -> Iterator[str]:
    """Name the query parameters of a handler and of what it depends on."""
    for parameter in handler.query_params:
        yield parameter.alias
    for dependency in handler.dependencies:
        yield from _names_of(dependency)
