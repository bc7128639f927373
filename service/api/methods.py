"""Which methods a path takes: what `Allow` says with a 405 (RFC 9110 section 10.2.1)."""

from fastapi import Request
from starlette.routing import compile_path


def allowed_methods(request: Request) -> str:
    """List the documented methods of the path; the framework names those of one route only."""
    methods = {
        method.upper()
        for path, operations in request.app.openapi()["paths"].items()
        if compile_path(path)[0].match(request.scope["path"])
        for method in operations
    }
    return ", ".join(sorted(methods))
