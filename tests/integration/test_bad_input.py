"""What a client may send that is wrong: each with its status, code and pointer, never a 5xx.

The service must answer every one of them as a problem, without a stack trace and without the input.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.client import Client
from tests.integration.cases.actions import ACTIONS, REFUSED, Refused, refused_case
from tests.integration.cases.answers import ANSWERS
from tests.integration.cases.base import JSON, Case
from tests.integration.cases.beginnings import BEGINNINGS, BEGUN
from tests.integration.cases.bundles import BUNDLES, BUNDLES_TAKEN
from tests.integration.cases.events import EVENTS, EVENTS_ANSWERED
from tests.integration.cases.generations import GENERATIONS, WRITTEN
from tests.integration.cases.images import IMAGES, IMAGES_TAKEN
from tests.integration.cases.jobs import JOBS
from tests.integration.cases.learning_rates import LEARNING_RATES, LEARNING_RATES_TAKEN
from tests.integration.cases.looking import LOOKS, LOOKS_ANSWERED
from tests.integration.cases.once import ONCE, ONCE_ANSWERED
from tests.integration.cases.operations import EDGES, NOBODY, OPERATIONS
from tests.integration.cases.optimizers import OPTIMIZERS
from tests.integration.cases.paths import PATHS
from tests.integration.cases.predictions import PREDICTIONS
from tests.integration.cases.recurrent import RECURRENT
from tests.integration.cases.registry import REGISTERED, REGISTRY
from tests.integration.cases.rows import ROWS_REFUSED, ROWS_TAKEN
from tests.integration.cases.sessions import SESSIONS, SESSIONS_KEPT
from tests.integration.cases.tables import TABLES
from tests.integration.cases.texts import TEXTS
from tests.integration.cases.transformers import TRANSFORMERS
from tests.integration.cases.uploads import UPLOADS
from tests.integration.sockets import exchange
from tests.integration.states import States, states

CASES = [
    *EDGES,
    *ACTIONS,
    *BEGINNINGS,
    *BUNDLES,
    *JOBS,
    *ONCE,
    *OPTIMIZERS,
    *PATHS,
    *UPLOADS,
    *ROWS_REFUSED,
    *PREDICTIONS,
    *TABLES,
    *TEXTS,
    *RECURRENT,
    *TRANSFORMERS,
    *EVENTS,
    *IMAGES,
    *LOOKS,
    *LEARNING_RATES,
    *REGISTRY,
    *GENERATIONS,
    *SESSIONS,
]
RIGHT = [
    *ANSWERS,
    *BEGUN,
    *BUNDLES_TAKEN,
    *ONCE_ANSWERED,
    *EVENTS_ANSWERED,
    *LOOKS_ANSWERED,
    *ROWS_TAKEN,
    *IMAGES_TAKEN,
    *LEARNING_RATES_TAKEN,
    *REGISTERED,
    *WRITTEN,
    *SESSIONS_KEPT,
]


@pytest.fixture(scope="module")
def made(client: Client) -> Iterator[States]:
    """Jobs in every state; `bad-images`, `bad-rows` and `bad-words` are models."""
    with states(client) as made:
        yield made


@pytest.fixture
def waiting(made: States) -> str:
    """The id of a job that no worker has trained yet."""
    return made.queued()


def send(http: httpx.Client, case: Case, made: States) -> httpx.Response:
    path = made.fill(case.path)
    if case.declared is not None:
        head = f"Content-Type: application/json\r\nContent-Length: {case.declared}\r\n"
        return exchange(str(http.base_url), f"{case.method} {path} HTTP/1.1\r\n{head}")
    headers = {**(JSON if case.body is not None else {}), **case.headers}
    if case.chunks:
        return http.request(case.method, path, content=mebibytes(case.chunks), headers=headers)
    content = case.content if case.body is None else made.fill(json.dumps(case.body)).encode()
    files = None if case.files is None else [filled(part, made) for part in case.files]
    return http.request(case.method, path, content=content, headers=headers, files=files)


def mebibytes(count: int) -> Iterator[bytes]:
    """Say nothing at length: httpx sends what is iterated without a Content-Length."""
    yield b'"'
    yield from (b"x" * (1 << 20) for _ in range(count))


def filled(part: tuple[str, tuple[Any, Any]], made: States) -> tuple[str, tuple[Any, Any]]:
    role, (name, content) = part
    return role, (name, made.fill(content) if isinstance(content, str) else content)


def sent_strings(case: Case) -> set[str]:
    """Find what an answer must not repeat: long strings; names of fields stand in pointers."""
    raw = b"" if case.content is None or case.content[:1] not in b'[{"' else case.content
    text = json.dumps(case.body, ensure_ascii=False) + raw.decode("utf-8", "replace")
    return set(re.findall(r'"([^"\\]{12,})"(?!\s*:)', text))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_answered_with_what_to_do(
    http: httpx.Client, made: States, case: Case
) -> None:
    answer = send(http, case, made)
    assert answer.status_code == case.status, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == case.code
    assert problem["status"] == case.status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    assert len(answer.content) < 20_000  # a hundred errors at most
    assert not [each for each in sent_strings(case) if each in answer.text]
    if case.pointer is not None:
        assert case.pointer in {error["pointer"] for error in problem["errors"]}
    # That the service lives on, the next case shows, and behind the last one the end of `made`.


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_odd_but_legal_input_is_answered_well(http: httpx.Client, made: States, case: Case) -> None:
    answer = send(http, case, made)
    assert answer.status_code == case.status, answer.text[:500]
    assert answer.headers["x-request-id"]
    if answer.content:
        accepted = case.headers.get("Accept")
        binary = accepted in {"image/png", "application/zip", "application/octet-stream"}
        expected = accepted if binary else "application/json"
        assert answer.headers["content-type"] == expected


def test_every_documented_status_is_answered_and_every_answer_documented(
    http: httpx.Client,
) -> None:
    """The tables are the answers: a test above runs through every row.

    `default` says that nothing else is meant. 401, 408 and 503 come from one place each, around all
    paths: test_doors, test_edges and test_limits show them.
    """
    operations = http.get("/openapi.json").json()["paths"]
    documented = {
        (method.upper(), path, int(status))
        for path, methods in operations.items()
        for method, operation in methods.items()
        for status in operation["responses"].keys() - AROUND_EVERY_PATH
    }
    assert {each[:2] for each in documented} == set(OPERATIONS)
    cases = [*CASES, *RIGHT]
    assert documented == {each for case in cases for each in answers_of(case)}


AROUND_EVERY_PATH = {"default", "401", "408", "503"}
TEMPLATES = [
    (method, path, re.compile(re.sub(r"\{\w+\}", "[^/]+", path))) for method, path in OPERATIONS
]


def answers_of(case: Case) -> Iterator[tuple[str, str, int]]:
    """Name the operation that a case asks, if it asks one."""
    path = case.path.partition("?")[0]
    for method, template, pattern in TEMPLATES:
        if method == case.method and pattern.fullmatch(path):
            yield method, template, case.status


@pytest.mark.parametrize("path", dict.fromkeys(path for _, path in OPERATIONS))
def test_allow_names_the_methods_of_a_path(http: httpx.Client, path: str) -> None:
    allowed = http.request("TRACE", path.format_map(NOBODY)).headers["Allow"]
    assert allowed == ", ".join(sorted(method for method, each in OPERATIONS if each == path))


def test_every_wrong_field_is_told_at_once(http: httpx.Client) -> None:
    body = {"dataset": 3, "architecture": "rmn", "priority": "high", "colour": "red"}
    problem = http.post("/v1/jobs", json=body).json()
    pointers = {error["pointer"] for error in problem["errors"]}
    assert pointers == {"/dataset", "/architecture", "/priority", "/colour"}


def test_an_unknown_component_is_answered_with_the_known_and_the_nearest(
    http: httpx.Client,
) -> None:
    problem = http.post("/v1/jobs", json={"dataset": "eating", "architecture": "rmn"}).json()
    detail = problem["errors"][0]["detail"]
    assert "did you mean 'rnn'" in detail
    assert "cnn, gru, lstm, mlp, rnn" in detail


def test_a_mismatch_names_what_fits(http: httpx.Client) -> None:
    problem = http.post("/v1/jobs", json={"dataset": "eating", "architecture": "cnn"}).json()
    assert "rnn" in problem["errors"][0]["detail"]


def test_a_job_not_yet_trained_may_be_asked_again(http: httpx.Client, waiting: str) -> None:
    answer = http.post(f"/v1/models/{waiting}/predict", json={"inputs": ["I"]})
    assert answer.headers["x-should-retry"] == "true"
    assert int(answer.headers["Retry-After"]) > 0


def test_a_wrong_method_is_told_the_right_ones(http: httpx.Client) -> None:
    assert "GET" in http.post("/docs").headers["Allow"]


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused_case(refused).name)
def test_an_illegal_action_tells_what_is_legal(
    http: httpx.Client, made: States, refused: Refused
) -> None:
    answer = send(http, refused_case(refused), made)
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["current_status"] == refused.status
    assert answer.json()["legal_actions"] == refused.legal


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(["dataset", "architecture", "optimizer", "schedule", "training", "model"])
relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@relaxed
@given(body=st.dictionaries(fields, values) | values)
def test_no_json_breaks_the_creation_of_jobs(http: httpx.Client, body: Any) -> None:
    answer = http.post(
        "/v1/jobs", params={"validate_only": "true"}, content=json.dumps(body), headers=JSON
    )
    assert answer.status_code < 500, answer.text


@relaxed
@given(inputs=st.lists(values, max_size=3), model=st.sampled_from(["bad-images", "bad-words"]))
def test_no_json_breaks_a_prediction(
    http: httpx.Client, waiting: str, inputs: list[Any], model: str
) -> None:
    answer = http.post(
        f"/v1/models/{model}/predict", content=json.dumps({"inputs": inputs}), headers=JSON
    )
    assert answer.status_code < 500, answer.text
