"""Kept answers: one for a key, with what it tells of or not at all, and for 24 hours."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.store import idempotency
from service.store.engine import Database, database_now
from service.store.idempotency import KEPT_FOR, SLICE, Answer, Kept
from service.store.tables import IdempotencyKeyRow
from tests.builders import NOON

ANSWER = Answer(202, {"Location": "/v1/jobs/job_1"}, b'{"id":"job_1"}')
SECOND = timedelta(seconds=1)


def kept(database: Database, *, key: str = "k", fingerprint: str = "f") -> None:
    with database.begin() as session:
        assert idempotency.reserve(session, key, fingerprint, now=NOON) is None
        idempotency.keep(session, key, ANSWER)


def test_an_answer_is_found_under_its_key_for_24_hours(database: Database) -> None:
    kept(database)

    with database.read() as session:
        assert idempotency.find(session, "k", now=NOON + KEPT_FOR - SECOND) == Kept("f", ANSWER)
        assert idempotency.find(session, "k", now=NOON + KEPT_FOR) is None
        assert idempotency.find(session, "other", now=NOON) is None


def test_a_kept_answer_is_given_instead_of_the_key(database: Database) -> None:
    kept(database)

    with database.begin() as session:
        assert idempotency.reserve(session, "k", "g", now=NOON) == Kept("f", ANSWER)


def test_an_expired_key_is_free(database: Database) -> None:
    kept(database)

    with database.begin() as session:
        assert idempotency.reserve(session, "k", "g", now=NOON + KEPT_FOR) is None
        idempotency.keep(session, "k", ANSWER._replace(status=201))

    with database.read() as session:
        found = idempotency.find(session, "k", now=NOON + KEPT_FOR + SECOND)
    assert found == Kept("g", ANSWER._replace(status=201))


def test_a_key_is_free_when_its_transaction_fails(database: Database) -> None:
    with database.begin() as session:
        idempotency.reserve(session, "k", "f", now=NOON)
        idempotency.keep(session, "k", ANSWER)
        session.rollback()

    kept(database)


@pytest.mark.parametrize("fails", [False, True])
def test_whoever_brings_a_reserved_key_waits_for_what_comes_of_it(
    database: Database, fails: bool
) -> None:
    reserved = threading.Event()

    def second() -> Kept | None:
        reserved.wait()
        with database.begin() as session:
            return idempotency.reserve(session, "k", "f", now=NOON)

    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(second)
        with database.begin() as session:
            assert idempotency.reserve(session, "k", "f", now=NOON) is None
            reserved.set()
            idempotency.keep(session, "k", ANSWER)
            if fails:
                session.rollback()
        assert waiting.result() == (None if fails else Kept("f", ANSWER))


def test_expired_answers_are_removed_and_the_others_stay(database: Database) -> None:
    with database.begin() as session:
        for number in range(2 * SLICE + 1):
            idempotency.reserve(session, f"old-{number}", "f", now=NOON)
    with database.begin() as session:
        now = database_now(session)
        idempotency.reserve(session, "new", "f", now=now)

    assert idempotency.remove_expired(database) == 2 * SLICE + 1
    assert idempotency.remove_expired(database) == 0

    with database.read() as session:
        assert session.scalars(sa.select(IdempotencyKeyRow.id)).all() == ["new"]
