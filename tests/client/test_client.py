"""The client says what was asked and reads what was answered; the service itself is not needed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.client import Client, InvalidError, UnreadableError
from service.domain.components import Component
from service.domain.requests import DatasetChoice, JobRequest
from tests.client.answers import a_job, a_prediction, an_empty_list

Handler = Callable[[httpx.Request], httpx.Response]


class Outside:
    """Stands for the service: answers every request with the same body and remembers them."""

    def __init__(self, body: Any, status: int = 200) -> None:
        self.requests: list[httpx.Request] = []
        self._body = body
        self._status = status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        if self._body is None:
            return httpx.Response(self._status)
        return httpx.Response(self._status, json=self._body)

    @property
    def asked(self) -> httpx.Request:
        """The newest request."""
        return self.requests[-1]

    def client(self) -> Client:
        return Client("http://yard", transport=httpx.MockTransport(self))


def test_a_typed_request_sends_only_what_was_said() -> None:
    outside = Outside(a_job(), status=202)
    request = JobRequest(dataset=DatasetChoice(name="eating"), architecture=Component(type="rnn"))

    job = outside.client().create_job(request)

    assert job.status == "queued"
    assert json.loads(outside.asked.content) == {
        "dataset": {"name": "eating"},
        "architecture": {"type": "rnn"},
    }


def test_a_plain_request_is_sent_as_it_is() -> None:
    outside = Outside(a_job(), status=202)
    body = {"dataset": "eating", "architecture": "rnn", "training": {"epochs": 1}}

    outside.client().create_job(body)

    assert (outside.asked.method, outside.asked.url.path) == ("POST", "/v1/jobs")
    assert json.loads(outside.asked.content) == body


def test_waiting_for_a_job_allows_the_answer_more_time() -> None:
    outside = Outside(a_job())

    outside.client().get_job("job_1", wait=45)

    assert outside.asked.headers["Prefer"] == "wait=45"
    assert outside.asked.extensions["timeout"]["read"] > 45


def test_whatever_a_name_holds_stays_one_part_of_the_path() -> None:
    outside = Outside(a_prediction())

    outside.client().predict("밥/먹기?@3", ["나는"])

    assert outside.asked.url.raw_path == b"/v1/models/%EB%B0%A5%2F%EB%A8%B9%EA%B8%B0%3F@3/predict"


def test_filters_that_were_not_given_are_not_sent() -> None:
    outside = Outside(an_empty_list())

    outside.client().list_jobs(status="failed", metadata={"course": "dl1"})

    assert dict(outside.asked.url.params) == {"status": "failed", "metadata.course": "dl1"}


def test_several_series_are_asked_for_by_repeating_the_name() -> None:
    outside = Outside({"job": "job_1", "series": {}, "downsampled": False})

    outside.client().get_metrics("job_1", names=["train_loss", "lr"], max_points=5)

    assert outside.asked.url.params.get_list("name") == ["train_loss", "lr"]
    assert outside.asked.url.params["max_points"] == "5"


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
def test_every_action_is_a_post_below_the_job(action: str) -> None:
    outside = Outside(a_job())

    getattr(outside.client(), f"{action}_job")("job_1")

    assert (outside.asked.method, outside.asked.url.path) == ("POST", f"/v1/jobs/job_1/{action}")


def test_deleting_reads_an_answer_without_a_body() -> None:
    outside = Outside(None, status=204)

    outside.client().delete_job("job_1")

    assert outside.asked.method == "DELETE"


def test_images_go_into_json_as_base64_and_arrays_as_lists(tmp_path: Path) -> None:
    class Pixels:
        """An array as numpy and torch have them."""

        def tolist(self) -> list[list[int]]:
            return [[0, 255]]

    file = tmp_path / "shirt.png"
    file.write_bytes(b"\x89PNG")
    outside = Outside(a_prediction())

    outside.client().predict("clothes", [file, b"\x89PNG", Pixels(), [[1, 2]]], top_k=3)

    assert json.loads(outside.asked.content) == {
        "inputs": [{"b64": "iVBORw=="}, {"b64": "iVBORw=="}, [[0, 255]], [[1, 2]]],
        "top_k": 3,
    }


def test_one_image_is_sent_as_the_file_it_is() -> None:
    outside = Outside(a_prediction())
    jpeg = b"\xff\xd8\xff and so on"

    outside.client().predict_image("clothes", jpeg, top_k=3)

    assert outside.asked.content == jpeg
    assert outside.asked.headers["Content-Type"] == "image/jpeg"
    assert outside.asked.url.params["top_k"] == "3"


def test_an_upload_is_a_form_with_a_spec_and_files(tmp_path: Path) -> None:
    file = tmp_path / "poems.txt"
    file.write_text("roses are red\n", encoding="utf-8")
    outside = Outside({"detail": "no"}, status=422)

    with pytest.raises(InvalidError):
        outside.client().add_dataset({"name": "poems", "type": "text"}, {"file": file})

    assert outside.asked.headers["Content-Type"].startswith("multipart/form-data")
    assert b'{"name":"poems","type":"text"}' in outside.asked.content
    assert b"roses are red\n" in outside.asked.content


@pytest.mark.parametrize("value", [float("nan"), "\ud800", object()])
def test_what_json_cannot_carry_is_refused_before_it_is_sent(value: object) -> None:
    outside = Outside(a_job())

    with pytest.raises(InvalidError):
        outside.client().create_job({"dataset": value})

    assert outside.requests == []


def test_a_followed_job_is_told_at_every_change_until_it_has_ended() -> None:
    looks = [
        a_job(status="queued"),
        a_job(status="queued"),
        a_job(status="running"),
        a_job(status="succeeded"),
    ]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=looks.pop(0)))

    seen = [
        job.status for job in Client("http://yard", transport=transport).follow_job("j", every=0)
    ]

    assert seen == ["queued", "running", "succeeded"]


def test_a_followed_job_survives_a_restart_of_the_service() -> None:
    answers: list[Any] = [a_job(), httpx.ConnectError("refused"), a_job(status="paused")]

    def answer(request: httpx.Request) -> httpx.Response:
        next_one = answers.pop(0)
        if isinstance(next_one, Exception):
            raise next_one
        return httpx.Response(200, json=next_one)

    client = Client("http://yard", transport=httpx.MockTransport(answer))

    assert [job.status for job in client.follow_job("j", every=0)] == ["queued", "paused"]


def test_waiting_longer_than_the_deadline_is_a_timeout() -> None:
    client = Outside(a_job()).client()

    with pytest.raises(TimeoutError, match="job_1"):
        client.wait_for_job("job_1", deadline=0)


def test_an_answer_of_somebody_else_is_unreadable() -> None:
    with pytest.raises(UnreadableError, match="no Trainyard service"):
        Outside({"hello": "world"}).client().get_job("job_1")


def test_calls_to_this_machine_go_past_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")

    with Client("http://127.0.0.1:8000") as client:
        assert client._http.trust_env is False  # pyright: ignore[reportPrivateUsage]
