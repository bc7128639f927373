"""Every problem of the service: one code, one status, one place in the guide."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import service
from service.api.problems import status_of
from service.domain.problems import Problem

GUIDE = (Path(__file__).parent.parent.parent / "docs" / "problems.md").read_text(encoding="utf-8")
RUNS_WHEN_IMPORTED = {"service.__main__", "service.worker.preload"}


def all_problems() -> list[type[Problem]]:
    """Import the whole service, then walk the tree."""
    for module in pkgutil.walk_packages(service.__path__, "service."):
        if module.name not in RUNS_WHEN_IMPORTED:
            importlib.import_module(module.name)
    return sorted(set(below(Problem)), key=lambda problem: problem.code)


def below(problem: type[Problem]) -> Iterator[type[Problem]]:
    for each in problem.__subclasses__():
        yield each
        yield from below(each)


PROBLEMS = all_problems()


def test_no_two_problems_share_a_code() -> None:
    codes = [problem.code for problem in PROBLEMS]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.code)
def test_a_problem_is_in_the_guide_with_its_status(problem: type[Problem]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", problem.code)
    assert re.search(rf"^\| `{problem.code}` \| {int(status_of(problem))} \|", GUIDE, re.MULTILINE)


def test_the_reasons_of_failed_jobs_are_in_the_guide() -> None:
    sources = Path(service.__file__).parent.rglob("*.py")
    codes = {
        code
        for source in sources
        if not {"api", "cli", "datasets"} & {*source.parts}  # findings have codes of their own
        for code in re.findall(r'\bcode="([a-z_]+)"', source.read_text(encoding="utf-8"))
    }
    assert codes >= {"loss_not_finite", "child_died", "worker_lost"}
    assert [code for code in sorted(codes) if f"| `{code}` |" not in GUIDE] == []
