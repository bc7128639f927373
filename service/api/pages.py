"""The pages for people: `/docs`, whose scripts come from here and not from the network, and
`/problems`, which explains every problem code. All of them forbid what a page could do elsewhere.
"""

import base64
import hashlib
import html
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

from service.api.guides import ProblemGuide, get_guide, problem_guides
from service.api.problems import TYPES

router = APIRouter(include_in_schema=False)

ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{text-align:left;padding:.3rem .8rem .3rem 0;"
    "vertical-align:top}code{background:#8882;padding:.1em .3em}"
)
Asset = Literal["swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"]


@router.get("/docs")
async def documentation(request: Request) -> Response:
    """Show every path of the service, to be tried out."""
    page = get_swagger_ui_html(
        openapi_url=request.app.openapi_url,
        title="Trainyard",
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/docs/favicon.png",
    )
    return _page(bytes(page.body).decode())


@router.get("/docs/{asset}")
async def asset_of_documentation(asset: Asset) -> Response:
    """Send a script, a style or an icon of the documentation."""
    headers = {"Cache-Control": "max-age=86400", "X-Content-Type-Options": "nosniff"}
    return FileResponse(_assets() / asset, media_type=ASSETS[asset], headers=headers)


@router.get(TYPES)
async def problems() -> Response:
    """List all problems."""
    rows = (
        f'<tr><td><a href="{TYPES}/{guide.code}"><code>{guide.code}</code></a><td>{guide.status}'
        f"<td>{_inline(guide.when)}"
        for guide in problem_guides().values()
    )
    return _document("What can go wrong", ["<table>", *rows, "</table>"])


@router.get(TYPES + "/{code}")
async def problem(code: str) -> Response:
    """Explain one problem: the page that its `type` names."""
    return _document(code, _explained(get_guide(code)))


def _explained(guide: ProblemGuide) -> list[str]:
    return [
        f"<p>Status {guide.status}, <code>code: {guide.code}</code>",
        f"<h2>When</h2><p>{_inline(guide.when)}",
        f"<h2>What to do</h2><p>{_inline(guide.cure)}",
        f'<p><a href="{TYPES}">All problems</a> · <a href="/docs">All paths</a>',
    ]


def _document(title: str, body: Iterable[str]) -> Response:
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        f"<title>{html.escape(title)} · Trainyard</title><style>{_STYLE}</style>",
        f"<h1>{html.escape(title)}</h1>",
        *body,
    ]
    return _page("\n".join(parts))


def _page(text: str) -> Response:
    return HTMLResponse(text, headers=_safe_headers(text))


@cache
def _safe_headers(text: str) -> dict[str, str]:
    """Allow a page its own scripts and what comes from this service, and nothing else.

    Content Security Policy Level 3; a script inside the page is allowed by its hash.
    """
    scripts = " ".join(
        _hash(script) for script in re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    )
    policy = (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
    }


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _inline(markdown: str) -> str:
    """Write the Markdown of a table's cell as HTML: code, and links as their text."""
    return _CODE.sub(r"<code>\1</code>", _LINK.sub(r"\1", html.escape(markdown, quote=False)))


def _assets() -> Path:
    return Path(str(files("fastapi_offline"))) / "static"
