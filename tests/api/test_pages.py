"""The pages: they need no network, and a browser lets them do nothing they should not."""

import re

import pytest

from service.api.guides import problem_guides
from service.catalogue import Catalogue
from service.store.engine import Database
from tests.api.asking import Asking


@pytest.fixture
def client(sqlite_database: Database, catalogue: Catalogue) -> Asking:
    return Asking(sqlite_database, catalogue)


def test_the_documentation_loads_from_this_service_alone(client: Asking) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(sources) == 3
    for source in sources:
        assert client.get(source).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/problems", "/problems/invalid_request"])
def test_a_page_tells_the_browser_to_be_strict(client: Asking, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in re.search(r"script-src ([^;]*)", policy).group(1)  # type: ignore[union-attr]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_type_of_a_problem_leads_to_its_explanation(client: Asking) -> None:
    problem = client.get("/v1/jobs/job_none").json()
    page = client.get(problem["type"])
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert problem["code"] in page.text


def test_every_problem_of_the_guide_has_its_page(client: Asking) -> None:
    assert len(problem_guides()) > 30
    overview = client.get("/problems").text
    for code in problem_guides():
        assert f'href="/problems/{code}"' in overview


@pytest.mark.parametrize("code", ["nothing", "%3Cscript%3E", "..%2Fproblems"])
def test_an_unknown_problem_is_a_problem_itself(client: Asking, code: str) -> None:
    answer = client.get(f"/problems/{code}")
    assert answer.status_code == 404
    assert "<script>" not in answer.text
