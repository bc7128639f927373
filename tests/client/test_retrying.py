"""A call is sent again where that is safe, with pauses that spread, and not for ever."""

from random import Random
from typing import Any

import httpx
import pytest

from service.api import accepting
from service.api.idempotency import StillRunning
from service.client import (
    ConflictError,
    InvalidError,
    TrainyardError,
    UnavailableError,
    calls,
    dataset_calls,
    model_calls,
)
from service.client.call import Call, Outcome
from service.client.retrying import BEING_DONE, NOTHING_DONE, Attempts, RetryPolicy
from service.domain.problems import Unavailable
from service.domain.transitions import TRANSITIONS, Becomes, JobAction
from tests.client.answers import a_job
from tests.client.conftest import Clients
from tests.client.outside import Outside, a_problem

START = calls.create_job({"dataset": "eating"})
READ = calls.get_job("job_1")
RETRY = calls.retry_job("job_1")

REFUSED = httpx.ConnectError("refused")
BROKEN = [httpx.ReadError(""), httpx.WriteError(""), httpx.RemoteProtocolError("no answer")]
TIMEOUTS = [httpx.ConnectTimeout(""), httpx.ReadTimeout(""), httpx.PoolTimeout("")]
TURNED_AWAY = [
    a_problem(503, code="service_busy"),
    a_problem(503, code="queue_full"),
    a_problem(429, code="too_many_requests"),
    httpx.Response(429, text="slow down, says a proxy"),
]
PERHAPS_DONE = [*BROKEN, a_problem(503), httpx.Response(503, text="says a proxy")]
FINAL = [
    *TIMEOUTS,
    httpx.Response(200),
    a_problem(409, code="model_not_ready"),
    a_problem(500, code="internal_error"),
    httpx.Response(502),
]


def pauses(call: Call[Any], *outcomes: Outcome, **policy: Any) -> list[float | None]:
    """The pause after each outcome, for outcomes that take no time."""
    attempts = Attempts(call, RetryPolicy(random=Random(1), **policy), now=0.0)
    return [attempts.pause_after(outcome, now=0.0) for outcome in outcomes]


def test_what_was_not_taken_is_sent_again_whatever_it_is() -> None:
    for outcome in [REFUSED, *TURNED_AWAY]:
        assert pauses(RETRY, outcome) != [None], outcome
        assert pauses(READ, outcome) != [None], outcome


def test_what_was_perhaps_done_is_sent_again_only_if_twice_is_as_good_as_once() -> None:
    for outcome in PERHAPS_DONE:
        assert pauses(RETRY, outcome) == [None], outcome
        assert pauses(READ, outcome) != [None], outcome
        assert pauses(START, outcome) != [None], outcome


def test_other_outcomes_are_final() -> None:
    for outcome in FINAL:
        assert pauses(READ, outcome) == [None], outcome


@pytest.mark.parametrize(
    ("call", "repeatable"),
    [
        (START, True),
        (calls.put_job("mine", {}), True),
        (READ, True),
        (calls.plan_job({}), True),
        (calls.predict("eating", ["I like"]), True),
        (calls.predict_image("clothes", b""), True),
        (dataset_calls.add_dataset({"name": "poems"}, {"file": b""}), True),
        (dataset_calls.check_dataset({"name": "poems"}, {"file": b""}), True),
        (calls.delete_job("job_1"), True),
    ],
    ids=lambda value: getattr(value, "path", None),
)
def test_a_call_says_whether_it_may_be_repeated(call: Call[Any], repeatable: bool) -> None:
    assert call.repeatable is repeatable


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
def test_an_action_may_be_repeated_if_the_table_of_actions_allows_it(action: JobAction) -> None:
    table = TRANSITIONS[action]
    done = [once for once in table.values() if isinstance(once, Becomes)]
    again = [table[once.status] for once in done]

    stays = all(
        isinstance(second, Becomes) and second.status == first.status
        for first, second in zip(done, again, strict=True)
    )

    assert calls.act_on_job("job_1", action).repeatable is stays


def test_the_codes_that_mean_nothing_was_done_are_said_by_the_service() -> None:
    assert accepting.QueueFull.code in NOTHING_DONE
    assert {problem.code for problem in Unavailable.__subclasses__()} >= NOTHING_DONE


def test_pauses_are_drawn_from_spans_that_double_up_to_a_limit() -> None:
    policy: dict[str, Any] = {"retries": 4, "first": 1.0, "longest": 3.0}
    drawn = [pauses(READ, *[REFUSED] * 4, **policy) for _ in range(2)]

    assert drawn[0] == drawn[1]  # the same dice
    dice = Random(1)
    assert drawn[0] == [dice.uniform(0, span) for span in (1.0, 2.0, 3.0, 3.0)]


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"Retry-After": "7"}, 7.0),
        (
            {
                "Retry-After": "Fri, 02 Jan 2026 03:04:12 GMT",
                "Date": "Fri, 02 Jan 2026 03:04:05 GMT",
            },
            7.0,
        ),
        (
            {
                "Retry-After": "Fri, 02 Jan 2026 03:04:00 GMT",
                "Date": "Fri, 02 Jan 2026 03:04:05 GMT",
            },
            0.0,
        ),
        ({"Retry-After": "Fri, 02 Jan 2026 03:04:12 GMT"}, 0.0),
        ({"Retry-After": "soon"}, 0.0),
        ({"Retry-After": "-1"}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_service_says_how_long_to_wait_at_least(headers: dict[str, str], least: float) -> None:
    [pause] = pauses(READ, httpx.Response(503, headers=headers), first=0.5)

    assert pause is not None
    assert least <= pause <= least + 0.5


def test_a_call_is_given_up_rather_than_repeated_too_late() -> None:
    assert pauses(READ, a_problem(retry_after="29")) != [None]
    assert pauses(READ, a_problem(retry_after="31")) == [None]

    attempts = Attempts(READ, RetryPolicy(patience=30.0), now=100.0)
    assert attempts.pause_after(BROKEN[0], now=129.0) is not None
    assert attempts.pause_after(BROKEN[0], now=131.0) is None


def test_a_call_that_asks_the_service_to_wait_has_so_much_more_time() -> None:
    attempts = Attempts(calls.get_job("job_1", wait=60), RetryPolicy(patience=30.0), now=0.0)

    assert attempts.pause_after(BROKEN[0], now=50.0) is not None


def test_a_client_sends_again_until_it_is_answered(clients: Clients) -> None:
    outside = Outside(REFUSED, a_problem(retry_after="3"), a_job())

    job = clients(outside).get_job("job_1")

    assert job.id == "job_1"
    assert len(outside.requests) == 3
    assert 0 <= clients.pauses[0] <= 0.25
    assert 3 <= clients.pauses[1] <= 3.5


@pytest.mark.parametrize(("retries", "sent"), [(0, 1), (1, 2), (2, 3)])
def test_a_client_gives_up_after_so_many_retries(clients: Clients, retries: int, sent: int) -> None:
    outside = Outside(a_problem())

    with pytest.raises(UnavailableError) as raised:
        clients(outside, retries=retries).get_job("job_1")

    assert len(outside.requests) == sent
    assert raised.value.retry_after_seconds == 1


@pytest.mark.parametrize("outcome", PERHAPS_DONE)
def test_a_job_that_was_perhaps_started_is_asked_for_again_with_its_key(
    clients: Clients, outcome: Outcome
) -> None:
    outside = Outside(outcome, a_job(), a_job())
    client = clients(outside)

    client.create_job({"dataset": "eating"})
    client.create_job({"dataset": "eating"})

    first, again, other = (request.headers["Idempotency-Key"] for request in outside.requests)
    assert first == again != other


@pytest.mark.parametrize(
    "call",
    [
        START,
        dataset_calls.add_dataset({"name": "poems"}, {"file": b""}),
        calls.fork_job("job_1"),
        model_calls.promote_checkpoint("eating", "ckpt_1"),
    ],
    ids=lambda call: call.path,
)
def test_whatever_creates_has_a_key_and_may_be_repeated(call: Call[Any]) -> None:
    assert (call.headers or {})["Idempotency-Key"]
    assert call.repeatable


def test_a_plan_has_no_key() -> None:
    assert "Idempotency-Key" not in (calls.plan_job({}).headers or {})


def test_a_caller_may_choose_the_key(clients: Clients) -> None:
    outside = Outside(a_job())

    clients(outside).create_job({"dataset": "eating"}, idempotency_key="night-1")

    assert outside.asked.headers["Idempotency-Key"] == "night-1"


@pytest.mark.parametrize("key", ["", "a b", "키", "x" * 256, "a\nb", '"a"'])
def test_what_is_no_key_is_refused_before_it_is_sent(clients: Clients, key: str) -> None:
    outside = Outside(a_job())

    with pytest.raises(InvalidError):
        clients(outside).create_job({"dataset": "eating"}, idempotency_key=key)

    assert outside.requests == []


def test_a_request_that_still_runs_is_waited_for_as_long_as_there_is_patience() -> None:
    assert StillRunning.code == BEING_DONE
    runs = a_problem(409, code=BEING_DONE)

    assert None not in pauses(START, *[runs] * 20)
    assert pauses(START, runs, retries=0) == [None]
    attempts = Attempts(START, RetryPolicy(patience=30.0), now=0.0)
    assert attempts.pause_after(runs, now=29.5) is None


def test_a_job_that_was_turned_away_at_the_door_is_sent_again(clients: Clients) -> None:
    outside = Outside(REFUSED, TURNED_AWAY[0], a_job())

    assert clients(outside).create_job({"dataset": "eating"}).id == "job_1"


def test_waiting_for_a_model_that_is_not_ready_is_left_to_the_caller(clients: Clients) -> None:
    outside = Outside(a_problem(409, code="model_not_ready", retry_after="2"))

    with pytest.raises(ConflictError) as raised:
        clients(outside).predict("job_1", ["I like"])

    assert len(outside.requests) == 1
    assert raised.value.retry_after_seconds == 2


def test_an_upload_is_whole_again_when_it_is_repeated(clients: Clients, tmp_path: Any) -> None:
    file = tmp_path / "poems.txt"
    file.write_bytes(b"roses are red\n")
    outside = Outside(httpx.ReadError("broken"), a_problem(422))

    with pytest.raises(TrainyardError):
        clients(outside).add_dataset({"name": "poems", "type": "text"}, {"file": file})

    first, second = (request.content for request in outside.requests)
    assert first == second
    assert b"roses are red\n" in second
