"""What a client may send that is wrong: each with its status, code and pointer, never a 5xx.

The service must answer every one of them as a problem, without a stack trace and without the input.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.client import Client
from tests.integration.cases.base import JSON, Case
from tests.integration.cases.jobs import JOBS
from tests.integration.cases.paths import PATHS
from tests.integration.cases.predictions import PREDICTIONS
from tests.integration.cases.uploads import UPLOADS

CASES = [*JOBS, *PATHS, *UPLOADS, *PREDICTIONS]


@pytest.fixture(scope="module")
def waiting(client: Client) -> Iterator[str]:
    """The id of a job that no worker has trained yet; `bad-images` and `bad-words` are models."""
    quick: dict[str, Any] = {"training": {"max_steps": 2}}
    for name, dataset, architecture in (
        ("bad-images", "digits", "mlp"),
        ("bad-words", "eating", "rnn"),
    ):
        request = {"model": name, "dataset": dataset, "architecture": architecture, **quick}
        assert client.wait_for_job(client.create_job(request).id).status == "succeeded"
    # No worker on Linux has such a device: the job stays in the queue.
    elsewhere = {"training": {"device": "mps"}}
    job = client.create_job({"dataset": "eating", "architecture": "rnn", **elsewhere})
    yield job.id
    client.cancel_job(job.id)


def send(http: httpx.Client, case: Case, path: str) -> httpx.Response:
    content = case.content if case.body is None else json.dumps(case.body).encode()
    headers = {**(JSON if case.body is not None else {}), **case.headers}
    return http.request(case.method, path, content=content, headers=headers, files=case.files)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_answered_with_what_to_do(
    http: httpx.Client, waiting: str, case: Case
) -> None:
    answer = send(http, case, case.path.replace("{waiting}", waiting))
    assert answer.status_code == case.status, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == case.code
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    assert len(answer.content) < 4000
    if case.pointer is not None:
        assert case.pointer in {error["pointer"] for error in problem["errors"]}


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
    assert "cnn, mlp, rnn" in detail


def test_a_mismatch_names_what_fits(http: httpx.Client) -> None:
    problem = http.post("/v1/jobs", json={"dataset": "eating", "architecture": "cnn"}).json()
    assert "rnn" in problem["errors"][0]["detail"]


def test_a_job_not_yet_trained_may_be_asked_again(http: httpx.Client, waiting: str) -> None:
    answer = http.post(f"/v1/models/{waiting}/predict", json={"inputs": ["I"]})
    assert answer.headers["x-should-retry"] == "true"
    assert int(answer.headers["Retry-After"]) > 0


def test_a_wrong_method_is_told_the_right_ones(http: httpx.Client) -> None:
    assert http.put("/v1/jobs").headers["Allow"] == "GET, POST"
    assert "GET" in http.post("/docs").headers["Allow"]


def test_an_illegal_action_tells_what_is_legal(http: httpx.Client, client: Client) -> None:
    job = client.list_jobs(status="succeeded", limit=1).data[0]
    answer = http.post(f"/v1/jobs/{job.id}/pause")
    assert answer.status_code == 409
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["current_status"] == "succeeded"
    assert answer.json()["legal_actions"] == ["delete"]


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
