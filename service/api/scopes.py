"""What a key may do: every path asks for a scope, and the OpenAPI document says how keys are sent.

| scope | may |
|---|---|
| `predict` | read models and predict, without `evidence` |
| `train` | also jobs, uploads, `evidence`, and everything else that can be read |
| `admin` | also take away what others use: delete datasets and models |
"""

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.types import Scope as RequestScope

from service.api.doors import key_of
from service.api.problems import Forbidden, Unauthorized
from service.domain.keys import ApiKey, Scope

_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="An API key.")
_HEADER = APIKeyHeader(name="X-Api-Key", auto_error=False, scheme_name="key")


class ScopeTooSmall(Forbidden):
    """The key is known, but not for this."""

    code = "scope_too_small"
    title = "The key may not do this"

    def __init__(self, key: ApiKey, needed: Scope) -> None:
        super().__init__(
            f"This key has the scope {key.scope}, and this needs {needed}. Use another key.",
            scope=key.scope,
            needed_scope=needed,
        )


def requires(scope: Scope) -> Any:
    """Make the dependency of paths that need a key of at least this scope."""

    async def check(
        request: Request,
        _bearer: Annotated[object, Depends(_BEARER)],
        _header: Annotated[object, Depends(_HEADER)],
    ) -> None:
        check_scope(request.scope, scope)

    return Depends(check)


def check_scope(request: RequestScope, scope: Scope) -> None:
    """Raise Unauthorized or ScopeTooSmall, unless the key of a request may do this."""
    key = key_of(request)
    if key is None:
        raise Unauthorized
    if not key.may(scope):
        raise ScopeTooSmall(key, scope)
