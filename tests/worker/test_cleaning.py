"""What the worker cleans up beside its work."""

from service.store import idempotency
from service.store.engine import Database
from service.store.idempotency import Answer
from service.worker.main import clean_up
from tests.builders import NOON


def test_answers_that_are_kept_no_longer_are_removed(database: Database) -> None:
    with database.begin() as session:
        idempotency.reserve(session, "k", "f", now=NOON)
        idempotency.keep(session, "k", Answer(202, {}, b"{}"))

    clean_up(database)

    with database.read() as session:
        assert idempotency.find(session, "k", now=NOON) is None
