"""The doors: who is let in, and what a key may do on every path there is."""

import logging
from typing import Any

import pytest

from service.catalogue import Catalogue
from service.store.engine import Database
from tests.api.asking import Asking

KEYS = {"predict": "predict-key", "train": "train-key", "admin": "admin-key"}
SETTING = ",".join(f"{scope}-caller:{scope}:{key}" for scope, key in KEYS.items())

TABLE: dict[tuple[str, str], str | None] = {
    ("GET", "/livez"): None,
    ("GET", "/readyz"): None,
    ("GET", "/v1/models"): "predict",
    ("GET", "/v1/models/{model}"): "predict",
    ("GET", "/v1/models/{model}/versions"): "predict",
    ("GET", "/v1/models/{model}/card"): "predict",
    ("POST", "/v1/models"): "train",
    ("GET", "/v1/models/{model}/download"): "predict",
    ("GET", "/v1/models/{model}/predictions-over-time"): "predict",
    ("POST", "/v1/models/{model}/versions"): "train",
    ("POST", "/v1/models/{model}/predict"): "predict",
    ("POST", "/v1/models/{model}/generate"): "predict",
    ("POST", "/v1/models/{model}/score"): "predict",
    ("DELETE", "/v1/models/{model}/sessions/{session}"): "predict",
    ("PATCH", "/v1/models/{model}"): "train",
    ("DELETE", "/v1/models/{model}"): "admin",
    ("PUT", "/v1/models/{model}/aliases/{alias}"): "train",
    ("DELETE", "/v1/models/{model}/aliases/{alias}"): "train",
    ("GET", "/v1/system"): "train",
    ("GET", "/v1/architectures"): "train",
    ("GET", "/v1/optimizers"): "train",
    ("GET", "/v1/schedules"): "train",
    ("GET", "/v1/tasks"): "train",
    ("GET", "/v1/recipes"): "train",
    ("GET", "/v1/recipes/{recipe}"): "train",
    ("GET", "/v1/datasets"): "train",
    ("POST", "/v1/datasets"): "train",
    ("GET", "/v1/datasets/{name}"): "train",
    ("DELETE", "/v1/datasets/{name}"): "admin",
    ("GET", "/v1/datasets/{name}/preview"): "train",
    ("GET", "/v1/datasets/{name}/statistics"): "train",
    ("GET", "/v1/jobs"): "train",
    ("POST", "/v1/jobs"): "train",
    ("PUT", "/v1/jobs/by-client-id/{client_id}"): "train",
    ("GET", "/v1/jobs/{job_id}"): "train",
    ("DELETE", "/v1/jobs/{job_id}"): "train",
    ("POST", "/v1/jobs/{job_id}/cancel"): "train",
    ("POST", "/v1/jobs/{job_id}/pause"): "train",
    ("POST", "/v1/jobs/{job_id}/resume"): "train",
    ("POST", "/v1/jobs/{job_id}/retry"): "train",
    ("POST", "/v1/jobs/{job_id}/fork"): "train",
    ("GET", "/v1/jobs/{job_id}/metrics"): "train",
    ("GET", "/v1/jobs/{job_id}/events"): "train",
    ("GET", "/v1/jobs/{job_id}/checkpoints"): "train",
    ("GET", "/v1/jobs/{job_id}/certificate"): "train",
}
PAGES = ["/", "/docs", "/openapi.json", "/problems", "/problems/unauthorized", "/nowhere"]


@pytest.fixture
def guarded(sqlite_database: Database, catalogue: Catalogue) -> Asking:
    """The application with a key of each scope."""
    return Asking(sqlite_database, catalogue, api_keys=SETTING)


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }


def test_the_table_has_every_path_of_the_document(guarded: Asking) -> None:
    document = guarded.get("/openapi.json", x_api_key=KEYS["predict"]).json()
    assert operations(document) == set(TABLE)


def test_the_document_says_how_a_key_is_sent(guarded: Asking) -> None:
    document = guarded.get("/openapi.json", x_api_key=KEYS["predict"]).json()
    for method, path in sorted(TABLE):
        named = {
            name
            for each in document["paths"][path][method.lower()].get("security", [])
            for name in each
        }
        assert named == ({"bearer", "key"} if TABLE[method, path] else set())


@pytest.mark.parametrize(("method", "path"), sorted(TABLE))
def test_a_path_lets_in_exactly_the_scopes_it_should(
    guarded: Asking, method: str, path: str
) -> None:
    needed = TABLE[method, path]
    asked = path.replace("{", "").replace("}", "")
    answers: dict[str | None, int] = {None: guarded.request(method, asked).status_code}
    for scope, key in KEYS.items():
        headers = {"Authorization": f"Bearer {key}"}
        answers[scope] = guarded.request(method, asked, headers=headers).status_code

    ranks = [None, *KEYS]
    for held, status in answers.items():
        if needed is not None and held is None:
            assert status == 401
        elif ranks.index(held) < ranks.index(needed):
            assert status == 403
        else:
            assert status not in {401, 403}


@pytest.mark.parametrize("path", PAGES)
def test_pages_need_any_key(guarded: Asking, path: str) -> None:
    refused = guarded.get(path)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert refused.json()["code"] == "unauthorized"
    assert guarded.get(path, x_api_key=KEYS["predict"]).status_code != 401


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"bearer {KEYS['train']}"},
        {"authorization": f"Bearer   {KEYS['train']}"},
        {"x_api_key": KEYS["train"]},
    ],
)
def test_a_key_may_come_in_either_header(guarded: Asking, headers: dict[str, str]) -> None:
    assert guarded.get("/v1/jobs", **headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": KEYS["train"]},
        {"authorization": f"Basic {KEYS['train']}"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {KEYS['train']}x"},
        {"x_api_key": ""},
        {"x_api_key": f"Bearer {KEYS['train']}"},
    ],
)
def test_anything_else_is_no_key(guarded: Asking, headers: dict[str, str]) -> None:
    assert guarded.get("/v1/jobs", **headers).status_code == 401


def test_with_keys_any_host_and_origin_will_do(guarded: Asking) -> None:
    answer = guarded.request(
        "POST",
        "/v1/jobs?validate_only=true",
        json={"dataset": "eating", "architecture": "rnn"},
        headers={
            "Host": "yard.example.org",
            "Origin": "https://example.org",
            "X-Api-Key": KEYS["train"],
        },
    )
    assert answer.status_code == 200


def test_a_refusal_names_the_scopes_but_no_key(guarded: Asking) -> None:
    answer = guarded.get("/v1/jobs", x_api_key=KEYS["predict"])
    assert answer.json()["code"] == "scope_too_small"
    assert (answer.json()["scope"], answer.json()["needed_scope"]) == ("predict", "train")
    assert KEYS["predict"] not in answer.text


def test_an_allowed_origin_may_ask_from_a_browser(
    sqlite_database: Database, catalogue: Catalogue
) -> None:
    client = Asking(sqlite_database, catalogue, cors_origins="https://app.example, http://[::1]:3")
    origin = {"Origin": "https://app.example"}
    before = client.request(
        "OPTIONS",
        "/v1/jobs",
        headers={
            **origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-api-key",
        },
    )
    assert before.status_code == 200
    assert before.headers["Access-Control-Allow-Origin"] == origin["Origin"]

    headers = {**origin, "Sec-Fetch-Site": "cross-site"}
    answer = client.request("POST", "/v1/jobs", json={}, headers=headers)
    assert answer.status_code == 422
    assert answer.headers["Access-Control-Allow-Origin"] == origin["Origin"]
    assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]


def test_another_origin_may_not(sqlite_database: Database, catalogue: Catalogue) -> None:
    client = Asking(sqlite_database, catalogue, cors_origins="https://app.example")
    headers = {"Origin": "https://evil.example"}
    answer = client.request("POST", "/v1/jobs", json={}, headers=headers)
    assert answer.json()["code"] == "foreign_origin"
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "asked", [{"Origin": "https://evil.example"}, {"Access-Control-Request-Headers": "x-other"}]
)
def test_a_refused_preflight_is_a_problem_too(
    sqlite_database: Database, catalogue: Catalogue, asked: dict[str, str]
) -> None:
    client = Asking(sqlite_database, catalogue, cors_origins="https://app.example")
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST", **asked}
    answer = client.request("OPTIONS", "/v1/jobs", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "foreign_origin"


def test_insecure_answers_any_host_but_no_foreign_page(
    sqlite_database: Database, catalogue: Catalogue
) -> None:
    client = Asking(sqlite_database, catalogue, insecure=True)
    assert client.get("/v1/jobs", host="yard.example.org").status_code == 200
    headers = {"Host": "yard.example.org", "Origin": "https://evil.example"}
    assert client.request("POST", "/v1/jobs", json={}, headers=headers).status_code == 403


def test_a_request_is_logged_without_its_query_body_and_key(
    guarded: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="trainyard.requests")
    headers = {"X-Api-Key": KEYS["train"], "X-Request-Id": "mine-1"}
    body = {"model": "hidden-words"}
    guarded.request("POST", "/v1/jobs?secret=1", json=body, headers=headers)

    [line] = [each.getMessage() for each in caplog.records if each.name == "trainyard.requests"]

    assert line.startswith("POST /v1/jobs 400, ")
    assert "mine-1, train-caller" in line
    assert not any(word in line for word in ("secret", "hidden-words", KEYS["train"]))


def test_a_path_cannot_write_lines_of_its_own_into_the_log(
    guarded: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="trainyard.requests")
    guarded.get("/v1/jobs/a%0AGET%20/forged")
    [line] = [each.getMessage() for each in caplog.records if each.name == "trainyard.requests"]
    assert "\n" not in line


def test_probes_are_not_logged(guarded: Asking, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="trainyard.requests")
    guarded.get("/livez")
    assert not [each for each in caplog.records if each.name == "trainyard.requests"]
