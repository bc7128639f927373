"""What each action does in each status, over HTTP; what is refused stands in `cases.actions`."""

import httpx
import pytest

from service.client import Client
from tests.integration.cases.actions import ALL, LEGAL, REFUSED
from tests.integration.states import ELSEWHERE, ENDLESS, QUICK, a_job, a_job_that_fails

BECOMES = {
    "cancel": "cancelled",
    "pause": "paused",
    "resume": "queued",
    "retry": "queued",
}
WAITING = [
    (action, status)
    for status in ("queued", "paused", "cancelled")
    for action in LEGAL[status]
    if action != "delete"
]


def act(http: httpx.Client, action: str, job_id: str) -> tuple[str, str | None]:
    """Do something that is legal; return what the job is then."""
    answer = http.post(f"/v1/jobs/{job_id}/{action}")
    assert answer.status_code == 200, answer.text
    return answer.json()["status"], answer.json()["status_reason"]


def test_every_cell_of_the_table_is_legal_or_refused() -> None:
    assert len(LEGAL) * len(ALL) == len(REFUSED) + sum(map(len, LEGAL.values()))


@pytest.mark.parametrize(("action", "status"), WAITING)
def test_a_job_that_does_not_run_becomes_what_the_table_says(
    http: httpx.Client, client: Client, action: str, status: str
) -> None:
    job = client.create_job(a_job("eating", "rnn", ELSEWHERE))
    for before in {"queued": [], "paused": ["pause"], "cancelled": ["cancel"]}[status]:
        act(http, before, job.id)

    assert act(http, action, job.id)[0] == BECOMES[action]
    client.cancel_job(job.id)
    assert http.delete(f"/v1/jobs/{job.id}").status_code == 204


@pytest.mark.parametrize("status", ["queued", "paused"])
def test_a_job_that_waits_can_be_deleted(http: httpx.Client, client: Client, status: str) -> None:
    job = client.create_job(a_job("eating", "rnn", ELSEWHERE))
    if status == "paused":
        client.pause_job(job.id)

    assert http.delete(f"/v1/jobs/{job.id}").status_code == 204
    assert http.get(f"/v1/jobs/{job.id}").status_code == 404


def test_orders_to_a_running_job_are_noted_and_taken_back(
    http: httpx.Client, client: Client
) -> None:
    job = client.create_job(a_job("eating", "rnn", {**ENDLESS, "batch_size": 65_536}))
    while client.get_job(job.id).status == "queued":
        client.get_job(job.id, wait=10)
    told = [act(http, action, job.id) for action in ("pause", "resume", "cancel")]

    assert told[2] in {("running", "cancelling"), ("cancelled", None)}
    assert told[0] == ("running", "pausing")
    assert told[1][0] in {"running", "queued"}  # it may have paused meanwhile
    assert client.wait_for_job(job.id).status == "cancelled"


def test_a_failed_job_is_tried_again_and_deleted(http: httpx.Client, client: Client) -> None:
    job = client.create_job(a_job_that_fails())
    assert client.wait_for_job(job.id).status == "failed"

    assert act(http, "retry", job.id)[0] == "queued"
    assert client.wait_for_job(job.id).status == "failed"
    assert http.delete(f"/v1/jobs/{job.id}").status_code == 204


def test_a_succeeded_job_is_deleted_and_its_model_stays(http: httpx.Client, client: Client) -> None:
    job = client.create_job({**a_job("eating", "rnn", QUICK), "model": "outlives"})
    assert client.wait_for_job(job.id).status == "succeeded"

    assert http.delete(f"/v1/jobs/{job.id}").status_code == 204
    assert http.get("/v1/models/outlives").status_code == 200
