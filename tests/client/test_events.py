"""Listening to a job: every event once and in order, whatever becomes of the connection."""

import json

import httpx
import pytest

from service.client.errors import ConflictError, NotFoundError, UnavailableError, UnreachableError
from service.client.listening import HEARTBEAT_SECONDS, Lines, Listening
from tests.client.conftest import Clients
from tests.client.outside import Outside, a_problem

END = 'event: end\ndata: {"status":"succeeded"}\n\n'


def an_event(seq: int, kind: str = "progress", **data: object) -> str:
    event = {
        "object": "event",
        "job": "job_1",
        "seq": seq,
        "type": kind,
        "created_at": "2026-01-01T12:00:00.000000Z",
        "data": data,
    }
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"


def a_stream(*frames: str) -> httpx.Response:
    text = "retry: 1000\n\n" + "".join(frames)
    return httpx.Response(200, text=text, headers={"Content-Type": "text/event-stream"})


def test_events_come_until_the_end(clients: Clients) -> None:
    outside = Outside(a_stream(an_event(1, "queued"), ": still here\n\n", an_event(2), END))

    heard = list(clients(outside).events("job_1"))

    assert [(event.seq, event.type) for event in heard] == [(1, "queued"), (2, "progress")]
    assert outside.asked.headers["Accept"] == "text/event-stream"
    assert "Last-Event-ID" not in outside.asked.headers


def test_a_stream_that_stops_is_gone_on_with_after_the_last_event(clients: Clients) -> None:
    outside = Outside(
        a_stream(an_event(1), an_event(2), "id: 3\nevent: progress\nda"),
        httpx.ReadError("reset"),
        a_problem(),
        a_stream(an_event(3), END),
    )

    heard = list(clients(outside).events("job_1"))

    assert [event.seq for event in heard] == [1, 2, 3]
    ids = [request.headers.get("Last-Event-ID") for request in outside.requests]
    assert ids == [None, "2", "2", "2"]


def test_nothing_comes_of_a_stream_of_which_all_was_heard(clients: Clients) -> None:
    outside = Outside(httpx.Response(204))

    assert list(clients(outside).events("job_1", after=7)) == []
    assert outside.asked.headers["Last-Event-ID"] == "7"


def test_a_replay_says_how_fast(clients: Clients) -> None:
    outside = Outside(a_stream(END))
    list(clients(outside).events("job_1", speed=10))
    assert outside.asked.url.params["speed"] == "10"


def test_text_of_any_script_comes_whole(clients: Clients) -> None:
    outside = Outside(a_stream(an_event(1, "warning", message="밥\n🍚"), END))
    assert [event.data["message"] for event in clients(outside).events("job_1")] == ["밥\n🍚"]


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85"])
def test_only_cr_and_lf_end_a_line(clients: Clients, odd: str) -> None:
    outside = Outside(a_stream(an_event(1, "warning", message=f"a{odd}b"), END))
    assert [event.data["message"] for event in clients(outside).events("job_1")] == [f"a{odd}b"]


@pytest.mark.parametrize("end_of_line", ["\n", "\r", "\r\n"])
def test_lines_are_whole_wherever_the_stream_is_cut(end_of_line: str) -> None:
    said = ": hello\n\ndata: 1\n\ndata:2\ndata: 3\nid: 1\n\n".replace("\n", end_of_line)
    for place in range(len(said) + 1):
        lines = Lines()
        cut = [*lines.cut(said[:place]), *lines.cut(said[place:])]
        assert cut == [": hello", "", "data: 1", "", "data:2", "data: 3", "id: 1", ""]


def test_data_of_several_lines_are_one_event(clients: Clients) -> None:
    event = json.loads(an_event(1).partition("data: ")[2])
    lines = "\n".join(f"data: {line}" for line in json.dumps(event, indent=1).splitlines())
    outside = Outside(a_stream(f"id: 1\n{lines}\n\n", END))
    assert [event.seq for event in clients(outside).events("job_1")] == [1]


def test_patience_begins_when_the_service_is_missed_not_when_it_fell_silent() -> None:
    listening = Listening("job_1", after=0, speed=None, patience=10)
    assert listening.is_open(a_stream(), now=0.0)
    gone = UnreachableError("gone")
    listening.missed(gone, now=1000.0)
    listening.missed(gone, now=1009.0)
    with pytest.raises(UnreachableError):
        listening.missed(gone, now=1011.0)


def test_who_answers_again_is_waited_for_again() -> None:
    listening = Listening("job_1", after=0, speed=None, patience=10)
    gone = UnreachableError("gone")
    for now in (1000.0, 2000.0, 3000.0):
        assert listening.is_open(a_stream(), now=0.0)
        listening.missed(gone, now=now)


def test_silence_between_two_heartbeats_is_no_broken_stream(clients: Clients) -> None:
    outside = Outside(a_stream(END))
    list(clients(outside, timeout=1).events("job_1"))
    assert outside.asked.extensions["timeout"]["read"] > HEARTBEAT_SECONDS


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (a_problem(404, code="job_not_found"), NotFoundError),
        (a_problem(409, code="replay_too_early"), ConflictError),
        (a_problem(503), UnavailableError),
        (httpx.ConnectError("refused"), UnreachableError),
    ],
)
def test_what_is_refused_at_first_is_an_error(
    clients: Clients, answer: httpx.Response | Exception, error: type[Exception]
) -> None:
    with pytest.raises(error):
        list(clients(Outside(answer)).events("job_1"))
