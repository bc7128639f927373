"""The client says what was asked and reads what was answered; the service itself is not needed."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.client import AsyncClient, Client, InvalidError, UnreachableError, UnreadableError
from service.domain.components import Component
from service.domain.requests import DatasetChoice, JobRequest
from tests.client.answers import a_job, a_prediction, an_empty_list
from tests.client.conftest import Clients
from tests.client.outside import Outside, a_problem


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_a_typed_request_sends_only_what_was_said(clients: Clients) -> None:
    outside = Outside(a_job(), status=202)
    request = JobRequest(dataset=DatasetChoice(name="eating"), architecture=Component(type="rnn"))

    job = clients(outside).create_job(request)

    assert job.status == "queued"
    assert json.loads(outside.asked.content) == {
        "dataset": {"name": "eating"},
        "architecture": {"type": "rnn"},
    }


def test_a_plain_request_is_sent_as_it_is(clients: Clients) -> None:
    outside = Outside(a_job(), status=202)
    body = {"dataset": "eating", "architecture": "rnn", "training": {"epochs": 1}}

    clients(outside).create_job(body)

    assert (outside.asked.method, outside.asked.url.path) == ("POST", "/v1/jobs")
    assert json.loads(outside.asked.content) == body


def test_a_job_is_put_under_an_id_of_any_text(clients: Clients) -> None:
    outside = Outside(a_job(), status=202)

    clients(outside).put_job("밤/1", {"dataset": "eating"})

    assert outside.asked.method == "PUT"
    assert outside.asked.url.raw_path == b"/v1/jobs/by-client-id/%EB%B0%A4%2F1"
    assert json.loads(outside.asked.content) == {"dataset": "eating"}


def test_waiting_for_a_job_allows_the_answer_more_time(clients: Clients) -> None:
    outside = Outside(a_job())

    clients(outside).get_job("job_1", wait=45)

    assert outside.asked.headers["Prefer"] == "wait=45"
    assert outside.asked.extensions["timeout"]["read"] > 45


def test_whatever_a_name_holds_stays_one_part_of_the_path(clients: Clients) -> None:
    outside = Outside(a_prediction())

    clients(outside).predict("밥/먹기?@3", ["나는"])

    assert outside.asked.url.raw_path == b"/v1/models/%EB%B0%A5%2F%EB%A8%B9%EA%B8%B0%3F@3/predict"


def test_filters_that_were_not_given_are_not_sent(clients: Clients) -> None:
    outside = Outside(an_empty_list())

    clients(outside).list_jobs(status="failed", metadata={"course": "dl1"})

    assert dict(outside.asked.url.params) == {"status": "failed", "metadata.course": "dl1"}


def test_several_series_are_asked_for_by_repeating_the_name(clients: Clients) -> None:
    outside = Outside({"job": "job_1", "series": {}, "downsampled": False})

    clients(outside).get_metrics("job_1", names=["train_loss", "lr"], max_points=5)

    assert outside.asked.url.params.get_list("name") == ["train_loss", "lr"]
    assert outside.asked.url.params["max_points"] == "5"


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
def test_every_action_is_a_post_below_the_job(clients: Clients, action: str) -> None:
    outside = Outside(a_job())

    getattr(clients(outside), f"{action}_job")("job_1")

    assert (outside.asked.method, outside.asked.url.path) == ("POST", f"/v1/jobs/job_1/{action}")


def test_deleting_reads_an_answer_without_a_body(clients: Clients) -> None:
    outside = Outside(None, status=204)

    clients(outside).delete_job("job_1")

    assert outside.asked.method == "DELETE"


def test_images_go_into_json_as_base64_and_arrays_as_lists(
    clients: Clients, tmp_path: Path
) -> None:
    class Pixels:
        """An array as numpy and torch have them."""

        def tolist(self) -> list[list[int]]:
            return [[0, 255]]

    file = tmp_path / "shirt.png"
    file.write_bytes(b"\x89PNG")
    outside = Outside(a_prediction())

    clients(outside).predict("clothes", [file, b"\x89PNG", Pixels(), [[1, 2]]], top_k=3)

    assert json.loads(outside.asked.content) == {
        "inputs": [{"b64": "iVBORw=="}, {"b64": "iVBORw=="}, [[0, 255]], [[1, 2]]],
        "top_k": 3,
    }


def test_one_image_is_sent_as_the_file_it_is(clients: Clients) -> None:
    outside = Outside(a_prediction())
    jpeg = b"\xff\xd8\xff and so on"

    clients(outside).predict_image("clothes", jpeg, top_k=3)

    assert outside.asked.content == jpeg
    assert outside.asked.headers["Content-Type"] == "image/jpeg"
    assert outside.asked.url.params["top_k"] == "3"


def test_an_upload_is_a_form_with_a_spec_and_files(clients: Clients, tmp_path: Path) -> None:
    file = tmp_path / "poems.txt"
    file.write_text("roses are red\n", encoding="utf-8")
    outside = Outside({"detail": "no"}, status=422)

    with pytest.raises(InvalidError):
        clients(outside).add_dataset({"name": "poems", "type": "text"}, {"file": file})

    assert outside.asked.headers["Content-Type"].startswith("multipart/form-data")
    assert b'{"name":"poems","type":"text"}' in outside.asked.content
    assert b"roses are red\n" in outside.asked.content


def test_a_dry_run_is_an_upload_that_says_so(clients: Clients) -> None:
    report = {"name": "poems", "type": "text", "accepted": False, "sha256": None, "facts": None}
    finding = {"level": "error", "code": "ragged_row", "detail": "has 2 cells", "line": 3}
    outside = Outside({**report, "findings": [finding]})

    told = clients(outside).check_dataset({"name": "poems", "type": "table"}, {"file": b"a"})

    assert outside.asked.url.params["dry_run"] == "true"
    assert (told.accepted, told.findings[0].line) == (False, 3)


def test_a_dataset_can_be_given_as_bytes(clients: Clients) -> None:
    outside = Outside({"detail": "no"}, status=422)

    with pytest.raises(InvalidError):
        clients(outside).add_dataset({"name": "poems", "type": "text"}, {"file": b"violets"})

    assert b'filename="file"' in outside.asked.content
    assert b"\r\nviolets\r\n" in outside.asked.content


@pytest.mark.parametrize("value", [float("nan"), "\ud800", object(), nested(100_000)])
def test_what_json_cannot_carry_is_refused_before_it_is_sent(
    clients: Clients, value: object
) -> None:
    outside = Outside(a_job())

    with pytest.raises(InvalidError):
        clients(outside).create_job({"dataset": value})

    assert outside.requests == []


@pytest.mark.parametrize("job_id", ["\ud800", "x" * 100_000, "", ".", ".."])
def test_an_id_that_no_address_can_carry_is_refused_before_it_is_sent(
    clients: Clients, job_id: str
) -> None:
    outside = Outside(a_job())

    with pytest.raises(InvalidError):
        clients(outside).get_job(job_id)

    assert outside.requests == []


def test_a_followed_job_is_told_at_every_change_until_it_has_ended(clients: Clients) -> None:
    looks = [a_job(status=status) for status in ("queued", "queued", "running", "succeeded")]

    seen = [job.status for job in clients(Outside(*looks)).follow_job("job_1", every=3)]

    assert seen == ["queued", "running", "succeeded"]
    assert clients.pauses == [3, 3, 3, 0]


def test_who_asks_for_the_end_alone_has_the_service_hold_its_answer_back(clients: Clients) -> None:
    statuses = ("queued", "running", "running", "succeeded")
    outside = Outside(*[a_job(status=status) for status in statuses])

    assert clients(outside).wait_for_job("job_1").status == "succeeded"

    assert [asked.headers.get("Prefer") for asked in outside.requests] == [None, *["wait=20"] * 3]
    assert clients.pauses == [0, 0, 0.5, 0]  # a pause where nothing new was said


def test_a_job_that_is_paused_already_is_not_waited_for(clients: Clients) -> None:
    outside = Outside(a_job(status="paused"))

    assert clients(outside).wait_for_job("job_1").status == "paused"
    assert [asked.headers.get("Prefer") for asked in outside.requests] == [None]


def test_who_wants_to_see_the_progress_has_it_looked_at(clients: Clients) -> None:
    outside, seen = Outside(a_job(), a_job(status="succeeded")), list[str]()

    clients(outside).wait_for_job("job_1", progress=lambda job: seen.append(job.status))

    assert seen == ["queued", "succeeded"]
    assert not any("Prefer" in asked.headers for asked in outside.requests)


@pytest.mark.parametrize("gone", [httpx.ConnectError("refused"), a_problem()])
def test_a_followed_job_survives_a_restart_of_the_service(
    clients: Clients, gone: Exception | httpx.Response
) -> None:
    client = clients(Outside(a_job(), *[gone] * 7, a_job(status="paused")))

    assert [job.status for job in client.follow_job("job_1")] == ["queued", "paused"]


def test_a_service_that_stays_away_is_given_up(clients: Clients) -> None:
    client = clients(Outside(a_job(), httpx.ConnectError("refused")))

    with pytest.raises(UnreachableError):
        list(client.follow_job("job_1", patience=0))


def test_a_service_that_has_never_answered_is_not_waited_for(clients: Clients) -> None:
    with pytest.raises(UnreachableError):
        list(clients(Outside(httpx.ConnectError("refused"))).follow_job("job_1"))


def test_waiting_longer_than_the_deadline_is_a_timeout(clients: Clients) -> None:
    client = clients(Outside(a_job()))

    with pytest.raises(TimeoutError, match="job_1"):
        client.wait_for_job("job_1", deadline=0)


def test_an_answer_of_somebody_else_is_unreadable(clients: Clients) -> None:
    with pytest.raises(UnreadableError, match="no Trainyard service"):
        clients(Outside({"hello": "world"})).get_job("job_1")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_calls_to_this_machine_go_past_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, kind: type[Client | AsyncClient]
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")

    client = kind("http://127.0.0.1:8000")

    assert client._http.trust_env is False  # pyright: ignore[reportPrivateUsage]
