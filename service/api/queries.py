"""Unknown query parameters on `/v1` are refused: a misspelt filter must not look like an answer."""

from fastapi import Request
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
    path: str = request.scope["route"].path_format
    operation = request.app.openapi()["paths"][path][request.method.lower()]
    known = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    free = FREE_PREFIXES.get(path)
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
