"""What the service says about its own problems: the table of `docs/problems.md`, read once."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from service.domain.problems import NotFound

_ROW = re.compile(r"^\| `(\w+)` \| (\d{3}) \| (.+?) \| (.+?) \|$", re.MULTILINE)


class ProblemGuide(NamedTuple):
    """One problem code: its status, its cause and its cure, in Markdown."""

    code: str
    status: int
    when: str
    cure: str


class GuideNotFound(NotFound):
    """There is no problem with this code."""

    code = "problem_not_found"
    title = "No such problem"

    def __init__(self) -> None:
        super().__init__("No problem has this code. GET /problems lists them all.")


@cache
def problem_guides() -> dict[str, ProblemGuide]:
    """Read the guides, by their codes, in the order of their statuses."""
    rows = _ROW.findall(_file().read_text(encoding="utf-8"))
    guides = [ProblemGuide(code, int(status), when, cure) for code, status, when, cure in rows]
    return {guide.code: guide for guide in guides}


def get_guide(code: str) -> ProblemGuide:
    """Return the guide of a code. Raises GuideNotFound."""
    guide = problem_guides().get(code)
    if guide is None:
        raise GuideNotFound
    return guide


def _file() -> Path:
    """Find the guide: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_docs" / "problems.md"
    return installed if installed.is_file() else package.parent / "docs" / "problems.md"
