"""What nobody waits for any more is not begun; what has begun goes on."""

import contextvars
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from service.domain.problems import Busy
from service.store import deadline
from service.store.deadline import begin_within
from service.store.engine import Database


def apart(do: Callable[[], None]) -> None:
    """Run in a context of its own, as a request does."""
    contextvars.copy_context().run(do)


def test_a_transaction_after_the_deadline_is_refused(database: Database) -> None:
    def late() -> None:
        begin_within(-1)
        with pytest.raises(Busy, match="deadline_ms"), database.begin():
            pass
        with pytest.raises(Busy), database.read():
            pass

    apart(late)


def test_only_the_first_transaction_must_begin_in_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def takes_long() -> None:
        begin_within(60)
        with database.read() as session:
            session.scalars(sa.select(1)).one()
        later = time.monotonic() + 1000
        monkeypatch.setattr(deadline.time, "monotonic", lambda: later)
        with database.begin() as session:
            assert session.scalars(sa.select(1)).one() == 1

    apart(takes_long)


def test_who_set_no_deadline_has_none(database: Database) -> None:
    with database.begin() as session:
        assert session.scalars(sa.select(1)).one() == 1
