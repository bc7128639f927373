"""Which of two media types a request asks for."""

import pytest

from service.api.accepts import prefers

STREAM, JSON = "text/event-stream", "application/json"


@pytest.mark.parametrize(
    "accept",
    [
        "text/event-stream",
        "Text/Event-Stream",
        "text/event-stream, */*",
        "text/event-stream;q=0.9, application/json;q=0.8",
        "application/json;q=0.1,text/event-stream;charset=utf-8",
        "text/event-stream, application/*;q=0.5",
    ],
)
def test_a_stream_is_given_to_who_asks_for_it(accept: str) -> None:
    assert prefers(accept, STREAM, over=JSON)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/*",
        "application/json",
        "application/json, text/event-stream",
        "text/event-stream;q=0, */*;q=0.1",
        "text/event-stream;q=0.5, */*",
        "text/event-stream;q=singing",
        "text/event-streams",
        ";;,,=",
    ],
)
def test_everybody_else_gets_json(accept: str) -> None:
    assert not prefers(accept, STREAM, over=JSON)
