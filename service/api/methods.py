"""Which methods a path takes: what `Allow` says with a 405 (RFC 9110 section 10.2.1)."""

from fastapi import Request
from starlette.routing import compile_path


def allowed_methods(request: Request, of_one_route: str) -> str:
    """List the methods of the path; the framework names those `of_one_route` only.

    That one alone knows paths that are not documented, as `/docs` itself.
    """
    methods = {method.strip() for method in of_one_route.split(",") if method.strip()} | {
        method.upper()
        for path, operations in request.app.openapi()["paths"].items()
        if compile_path(path)[0].match(request.scope["path"])
        for method in operations
    }
    return ", ".join(sorted(methods))
