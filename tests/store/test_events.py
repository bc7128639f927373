"""Events as readers page through them and as pollers look for news."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.store import events
from service.store.engine import Database
from service.store.errors import JobNotFound, UnknownCursor
from service.store.events import Head
from tests.builders import NOON, a_claim, a_queued_job, a_trained_job


def a_job_with_events(database: Database, count: int) -> str:
    job = a_queued_job(database)
    with database.begin() as session:
        for number in range(count - 1):
            events.append(session, job.id, "progress", data={"step": number}, now=NOON)
    return job.id


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(size=st.integers(1, 150), count=st.integers(1, 230))
def test_pages_of_any_size_show_every_event_once(
    sqlite_database: Database, size: int, count: int
) -> None:
    job_id = a_job_with_events(sqlite_database, count)
    seen: list[int] = []
    with sqlite_database.read() as session:
        while True:
            page = events.page_of_events(
                session, job_id, after_seq=seen[-1] if seen else 0, limit=size
            )
            seen.extend(event.seq for event in page.data)
            if not page.has_more:
                break
    assert seen == list(range(1, count + 1))


def test_pages_of_one_type_show_every_event_of_it_once(database: Database) -> None:
    job_id = a_job_with_events(database, 4)
    with database.begin() as session:
        for _ in range(3):
            events.append(session, job_id, "finding", data={}, now=NOON)
            events.append(session, job_id, "progress", data={}, now=NOON)
    with database.read() as session:
        first = events.page_of_events(session, job_id, event_type="finding", limit=2)
        rest = events.page_of_events(
            session, job_id, after_seq=first.last_id or 0, event_type="finding", limit=1
        )
    assert [event.seq for event in [*first.data, *rest.data]] == [5, 7, 9]
    assert (first.has_more, rest.has_more) == (True, False)


def test_a_cursor_beyond_the_newest_event_is_unknown(database: Database) -> None:
    job_id = a_job_with_events(database, 3)
    with database.read() as session:
        assert events.page_of_events(session, job_id, after_seq=3).data == []
        with pytest.raises(UnknownCursor):
            events.page_of_events(session, job_id, after_seq=4)
        with pytest.raises(JobNotFound):
            events.page_of_events(session, "job_gone")


def test_heads_tell_the_newest_of_many_jobs(database: Database) -> None:
    ended, _ = a_trained_job(database)
    queued = a_queued_job(database)
    with database.read() as session:
        heads = events.find_heads(session, [ended.id, queued.id, "job_gone"])
        whole = events.find_tail(session, ended.id, after_seq=0, limit=100)
    assert heads[queued.id] == Head("queued", 1)
    assert heads[ended.id].status == "succeeded"
    assert heads.keys() == {ended.id, queued.id}
    assert whole is not None
    assert (len(whole.events), whole.is_whole) == (heads[ended.id].seq, True)


def test_a_tail_that_was_cut_says_so(database: Database) -> None:
    job_id = a_job_with_events(database, 5)
    a_claim(database)
    with database.read() as session:
        cut = events.find_tail(session, job_id, after_seq=1, limit=2)
    assert cut is not None
    assert [event.seq for event in cut.events] == [2, 3]
    assert cut.head == Head("running", 6)
    assert not cut.is_whole
