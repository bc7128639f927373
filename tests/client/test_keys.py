"""API keys: sent with every call, to this address alone, and shown to nobody."""

import logging
import traceback

import httpx
import pytest

from service.client import InvalidError, TrainyardError, UnauthorizedError, UnreadableError
from tests.client.answers import a_job
from tests.client.conftest import Clients
from tests.client.outside import Outside, a_problem

KEY = "ty_do-not-show-me"


def test_a_key_is_sent_as_a_bearer_token(clients: Clients) -> None:
    outside = Outside(a_job())

    clients(outside, api_key=f" {KEY}\n").get_job("job_1")  # as a file of one line holds it

    assert outside.asked.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("key", [None, "", " \n"])
def test_without_a_key_nothing_is_sent(clients: Clients, key: str | None) -> None:
    outside = Outside(a_job())

    clients(outside, api_key=key).get_job("job_1")

    assert "Authorization" not in outside.asked.headers


@pytest.mark.parametrize("outcome", [a_problem(401), httpx.ReadError(""), {"hello": "world"}])
def test_a_key_is_in_no_error_repr_or_log(
    clients: Clients, caplog: pytest.LogCaptureFixture, outcome: object
) -> None:
    caplog.set_level(logging.DEBUG)
    client = clients(Outside(outcome), api_key=KEY)

    with pytest.raises(TrainyardError) as raised:
        client.get_job("job_1")

    shown = [*traceback.format_exception(raised.value), repr(raised.value), repr(client)]
    assert KEY not in "".join([*shown, caplog.text])


@pytest.mark.parametrize("key", ["ty_\u00e9", "ty_a b", "ty_a\r\nX-Evil: 1"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(
    clients: Clients, key: str
) -> None:
    with pytest.raises(InvalidError) as raised:
        clients(api_key=key)

    assert "ty_" not in "".join(traceback.format_exception(raised.value))


def test_a_key_does_not_follow_to_another_host(clients: Clients) -> None:
    elsewhere = httpx.Response(307, headers={"Location": "http://elsewhere/v1/jobs/job_1"})
    outside = Outside(elsewhere)

    with pytest.raises(UnreadableError):
        clients(outside, api_key=KEY).get_job("job_1")

    assert [request.url.host for request in outside.requests] == ["yard"]


def test_a_key_that_the_service_does_not_know_is_unauthorized(clients: Clients) -> None:
    unknown = a_problem(401, code="unauthorized", retry_after=None)

    with pytest.raises(UnauthorizedError) as raised:
        clients(Outside(unknown), api_key=KEY).get_job("job_1")

    assert raised.value.code == "unauthorized"
