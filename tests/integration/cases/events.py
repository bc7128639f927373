"""Wrong and right questions about what happened to a job."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from tests.integration.cases.base import Case, get

STREAM = {"Accept": "text/event-stream"}


def stream(job: str, query: str = "", **headers: str) -> dict[str, Any]:
    """Make a case of a stream that is asked for."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return {**get(f"/v1/jobs/{job}/events{query}"), "headers": {**STREAM, **names}}


EVENTS = [
    Case("events after a letter", 422, "invalid_request", "/query/after", **get("/v1/jobs/{succeeded}/events?after=a")),
    Case("events after less than none", 422, "invalid_request", "/query/after", **get("/v1/jobs/{succeeded}/events?after=-1")),
    Case("events after 30 digits", 422, "invalid_request", "/query/after", **get("/v1/jobs/{succeeded}/events?after=" + "9" * 30)),
    Case("events after one of another job", 400, "unknown_cursor", **get("/v1/jobs/{cancelled}/events?after=9")),
    Case("no event", 422, "invalid_request", "/query/limit", **get("/v1/jobs/{succeeded}/events?limit=0")),
    Case("a list with a speed", 400, "speed_of_a_list", **get("/v1/jobs/{succeeded}/events?speed=2")),
    Case("events of a type there is not", 422, "invalid_request", "/query/type", **get("/v1/jobs/{succeeded}/events?type=illness")),
    Case("a stream of a type there is not", 422, "invalid_request", "/query/type", **stream("{cancelled}", "?type=")),
    Case("a stream of nobody", 404, "job_not_found", **stream("job_1")),
    Case("a stream after one of another job", 400, "unknown_cursor", **stream("{cancelled}", "?after=3")),
    Case("Last-Event-ID of another job", 400, "unknown_cursor", **stream("{cancelled}", Last_Event_ID="3")),
    Case("Last-Event-ID that is no number", 400, "unknown_cursor", **stream("{cancelled}", Last_Event_ID="job_1")),
    Case("Last-Event-ID below the first", 400, "unknown_cursor", **stream("{cancelled}", Last_Event_ID="-1")),
    Case("Last-Event-ID of 10,000 digits", 400, "unknown_cursor", **stream("{cancelled}", Last_Event_ID="1" * 10_000)),
    Case("speed 0", 422, "invalid_request", "/query/speed", **stream("{cancelled}", "?speed=0")),
    Case("a speed backwards", 422, "invalid_request", "/query/speed", **stream("{cancelled}", "?speed=-1")),
    Case("a speed that is no number", 422, "invalid_request", "/query/speed", **stream("{cancelled}", "?speed=NaN")),
    Case("a speed without end", 422, "invalid_request", "/query/speed", **stream("{cancelled}", "?speed=inf")),
    Case("a speed of a million", 422, "invalid_request", "/query/speed", **stream("{cancelled}", "?speed=1000000")),
    Case("a replay of what has not ended", 409, "replay_too_early", **stream("{queued}", "?speed=2")),
    Case("a replay of what is paused", 409, "replay_too_early", **stream("{paused}", "?speed=2")),
]

EVENTS_ANSWERED = [
    Case("events", 200, None, **get("/v1/jobs/{succeeded}/events")),
    Case("events of one type", 200, None, **get("/v1/jobs/{succeeded}/events?type=epoch")),
    Case("events after the last", 200, None, **get("/v1/jobs/{cancelled}/events?after=2")),
    Case("more events than a page has", 200, None, **get("/v1/jobs/{succeeded}/events?limit=" + "9" * 30)),
    Case("events for who prefers JSON", 200, None, **get("/v1/jobs/{succeeded}/events"), headers={"Accept": "text/event-stream;q=0.5, application/json"}),
    Case("a stream after the last event of all", 204, None, **stream("{cancelled}", "?after=2")),
    Case("a stream of which all was seen", 204, None, **stream("{cancelled}", Last_Event_ID="2")),
]
